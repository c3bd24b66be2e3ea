"""What the calls of LlamaIndex's models cost, for its two ways to listen: events, and the older callbacks."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from llama_index_instrumentation import get_dispatcher  # comes with llama-index-core
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.dispatcher import active_instrument_tags
from typing_extensions import override

from openrouter_adapters.core.answer import Answer
from openrouter_adapters.core.records import CallRecord, HeardCosts
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import dict_of, dicts_of, text_of
from openrouter_adapters.llamaindex.raw import Raw
from openrouter_adapters.llamaindex.spending import of_answer
from openrouter_adapters.llamaindex.tags import words_of

_installing = threading.Lock()


class OpenRouterCostHandler(HeardCosts, BaseEventHandler):
    """Sums what everything costs that OpenRouter's models do in LlamaIndex, in the whole process.

    ::

        costs = OpenRouterCostHandler()
        get_dispatcher().add_event_handler(costs)
        ...  # agents, query engines, chat engines, pipelines
        costs.total, costs.by_model["openai/gpt-4o-mini"].calls

    As a context manager it adds itself, and is gone afterwards: ``with OpenRouterCostHandler() as costs: ...``. It
    hears of all threads and tasks; for the costs of one task, one user or one request, and for budgets, there is
    `openrouter_adapters.track_costs`.

    Chat and completion, structured output, embeddings and reranking count, each request once: the failed tries of a
    call are calls of their own. What failed or was left early counts with what was reported until then, and is one of
    the ``unpriced_calls`` when that was nothing. Answers of other vendors' models do not count.

    ``by_tag`` sums by ``instrument_tags({...})``, as ``key:value``. A record's ``time`` is when its end was told, its
    ``seconds`` are 0.

    Money is `Decimal`, in USD; `core.records.Costs` says what there is. The records are kept until ``reset_counts()``.
    """

    @override
    def __init__(self) -> None:
        BaseEventHandler.__init__(self)
        HeardCosts.__init__(self)

    # A list of handlers is searched by equality, and pydantic's is that of fields, of which there are none.
    @override
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @override
    def __str__(self) -> str:
        return repr(self)

    @classmethod
    @override
    def class_name(cls) -> str:
        """The name that LlamaIndex knows it by."""
        return "OpenRouterCostHandler"

    @override
    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Count the answer that an event tells of, if it does."""
        if isinstance(event, LLMChatEndEvent | LLMCompletionEndEvent):
            self.hear(_records(event.response, words_of(event.tags)))

    def __enter__(self) -> Self:
        """Listen to everything from now on."""
        root = get_dispatcher()
        with _installing:
            root.event_handlers = [*root.event_handlers, self]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        root = get_dispatcher()
        with _installing:  # a new list: another thread may be going through this one
            root.event_handlers = [handler for handler in root.event_handlers if handler is not self]


class OpenRouterCostCallbackHandler(HeardCosts, BaseCallbackHandler):
    """As `OpenRouterCostHandler`, for the callback manager of a model, or of all of them.

    ::

        costs = OpenRouterCostCallbackHandler()
        Settings.callback_manager = CallbackManager([costs])
        ...
        costs.total, costs.tokens.output

    It hears of what the models do that have the callback manager. Both kinds may be used at once: each has its own
    sums.
    """

    @override
    def __init__(self) -> None:
        HeardCosts.__init__(self)
        BaseCallbackHandler.__init__(self, event_starts_to_ignore=[], event_ends_to_ignore=[])

    @override
    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        """Nothing is counted yet."""
        return event_id

    @override
    def on_event_end(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        **kwargs: Any,
    ) -> None:
        """Count the answer that an event ended with, if it did."""
        if event_type == CBEventType.LLM and payload:
            response = payload.get(EventPayload.RESPONSE) or payload.get(EventPayload.COMPLETION)
            self.hear(_records(response, words_of(active_instrument_tags.get())))

    @override
    def start_trace(self, trace_id: str | None = None) -> None:
        """Traces do not matter."""

    @override
    def end_trace(self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None) -> None:
        """Traces do not matter."""


def _records(response: Any, tags: tuple[str, ...]) -> list[CallRecord]:
    """The requests that an answer took; none for an answer that is not ours.

    Ours have the wire's body. A structured LLM tells of the same answer again, with an object in its place.
    """
    if not isinstance(response, ChatResponse | CompletionResponse) or not isinstance(response.raw, Raw):
        return []
    said = dict_of(response.additional_kwargs)
    answer = Answer(
        None,
        usage=Usage.from_wire(response.raw.get("usage")),
        model=text_of(said.get("model")),
        provider=text_of(said.get("provider")),
        id=text_of(said.get("id")),
        failed_tries=dicts_of(said.get("failed_tries")),
    )
    return of_answer(answer, {"tags": tags, "requested_model": text_of(said.get("requested_model"))})
