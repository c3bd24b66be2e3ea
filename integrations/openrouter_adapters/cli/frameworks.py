"""One model asked through LangChain or LlamaIndex, in the same words: `Piece` by `Piece`.

A framework is imported when it is chosen, and not before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

from openrouter_adapters.core.records import Tokens


class Piece(NamedTuple):
    """What one item of a stream added.

    Attributes:
        text: of the answer; a refusal is one too.
        thought: whether reasoning came.
        facts: what the answer says about itself, by the names of `Comparison`; it comes with the last piece.
    """

    text: str = ""
    thought: bool = False
    facts: Mapping[str, Any] = {}


class Asking(Protocol):
    """A model that can be asked once or more."""

    def pieces(self, prompt: str, system: str | None) -> AsyncGenerator[Piece]:
        """Its answer as it streams."""

    async def aclose(self) -> None:
        """Let go of the connections."""


class OverLangChain:
    """A `ChatOpenRouter` of LangChain."""

    def __init__(self, **options: Any) -> None:
        from openrouter_adapters.langchain import ChatOpenRouter

        self._model = ChatOpenRouter(**options)

    async def pieces(self, prompt: str, system: str | None) -> AsyncGenerator[Piece]:
        """Its answer as it streams."""
        messages = [*([("system", system)] if system else []), ("human", prompt)]
        async with aclosing(_generator(self._model.astream(messages))) as chunks:
            async for chunk in chunks:
                extra = chunk.additional_kwargs
                text = chunk.text or extra.get("refusal", "")
                yield Piece(text, "reasoning_content" in extra, self._facts(chunk))

    def _facts(self, chunk: Any) -> dict[str, Any]:
        told = chunk.response_metadata
        if chunk.usage_metadata is None and "id" not in told:
            return {}
        return _facts(told, told.get("model_name"), _tokens_of_langchain(chunk.usage_metadata))

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._model.aclose()


class OverLlamaIndex:
    """An `OpenRouter` of LlamaIndex."""

    def __init__(self, **options: Any) -> None:
        from openrouter_adapters.llamaindex import OpenRouter

        self._llm = OpenRouter(**options)

    async def pieces(self, prompt: str, system: str | None) -> AsyncGenerator[Piece]:
        """Its answer as it streams."""
        from llama_index.core.llms import ChatMessage

        messages = [ChatMessage(system, role="system")] if system else []
        items = await self._llm.astream_chat([*messages, ChatMessage(prompt)])
        async with aclosing(_generator(items)) as responses:
            async for response in responses:
                extra = response.additional_kwargs
                text = (response.delta or "") if response.message.content else extra.get("refusal", "")
                yield Piece(text, "thinking_delta" in extra, self._facts(response))

    def _facts(self, response: Any) -> dict[str, Any]:
        told = response.additional_kwargs
        return {} if response.raw is None else _facts(told, told.get("model"), _tokens_of_llamaindex(told))

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._llm.aclose()


FRAMEWORKS: Mapping[str, type[OverLangChain] | type[OverLlamaIndex]] = {
    "langchain": OverLangChain,
    "llamaindex": OverLlamaIndex,
}
TITLES = {"langchain": "LangChain", "llamaindex": "LlamaIndex"}
_PACKAGES = {"langchain": "openrouter_adapters.langchain", "llamaindex": "openrouter_adapters.llamaindex"}


def chosen(framework: str | None) -> str:
    """The name of the framework to go through: the one that is asked for, or the first that is installed.

    Raises:
        ValueError: there is no such framework.
        ImportError: it is not installed, or none is.
    """
    if framework is not None and framework not in FRAMEWORKS:
        raise ValueError(f"framework={framework!r}: choose one of {', '.join(FRAMEWORKS)}")
    for name in [framework] if framework else FRAMEWORKS:
        try:
            __import__(_PACKAGES[name])
        except ImportError:
            if framework:
                raise
        else:
            return name
    raise ImportError(
        "comparing needs LangChain or LlamaIndex: pip install 'openrouter-adapters[langchain]' or "
        "'openrouter-adapters[llamaindex]'"
    )


def _generator(items: Any) -> AsyncGenerator[Any]:
    """Both frameworks say iterator, and give a generator, which can be closed."""
    generator: AsyncGenerator[Any] = items
    return generator


def _facts(told: Mapping[str, Any], served: str | None, tokens: Tokens | None) -> dict[str, Any]:
    names = ("provider", "finish_reason", "id", "fallback_used")
    return {
        "served_model": served,
        "tokens": tokens,
        **{name: told.get(name) for name in names},
    }


def _tokens_of_langchain(usage: Mapping[str, Any] | None) -> Tokens | None:
    if not usage:
        return None
    read, written = usage.get("input_token_details", {}), usage.get("output_token_details", {})
    return Tokens(
        input=usage["input_tokens"],
        output=usage["output_tokens"],
        cached=read.get("cache_read") or 0,
        cache_write=read.get("cache_creation") or 0,
        reasoning=written.get("reasoning") or 0,
    )


def _tokens_of_llamaindex(told: Mapping[str, Any]) -> Tokens | None:
    if "prompt_tokens" not in told and "completion_tokens" not in told:
        return None
    return Tokens(
        input=told.get("prompt_tokens", 0),
        output=told.get("completion_tokens", 0),
        cached=told.get("cached_tokens", 0),
        cache_write=told.get("cache_write_tokens", 0),
        reasoning=told.get("reasoning_tokens", 0),
    )
