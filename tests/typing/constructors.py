"""What a type checker says of the constructors: not run, but checked by `make check`.

Every `type: ignore` here is an error that a caller must be shown; a missing one fails the check too.
"""

from openrouter_adapters import RateLimitError, refresh_catalog
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

chat = ChatOpenRouter(
    model="openai/gpt-4o-mini",
    models=["anthropic/claude-haiku-4.5"],
    provider={"order": ["azure"], "zdr": True, "max_price": {"prompt": 1, "completion": "2"}},
    reasoning={"effort": "high"},
    api_key="sk-or-...",
    timeout=30,
    temperature=0,
    streaming=True,
)
llm = OpenRouter(model="openai/gpt-4o-mini", order=["azure"], max_tokens=100, context_window=8192)

ChatOpenRouter(modle="openai/gpt-4o-mini")  # type: ignore[call-arg]
ChatOpenRouter(temperature="hot")  # type: ignore[arg-type]
OpenRouter(max_tokens=1.5)  # type: ignore[arg-type]


def answers() -> tuple[str, str, int]:
    return str(chat.invoke("hi").text), llm.complete("hi").text, refresh_catalog(max_age=0)


def seconds_to_wait(error: RateLimitError) -> float | None:
    return error.retry_after
