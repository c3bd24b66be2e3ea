"""The two adapters, asked in each of their four ways, and the facts that they show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, message_chunk_to_message
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from openrouter_adapters import OpenRouterError
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

from .reader import HEAD, Facts, known, logprob_facts, opaque

KEY = "sk-or-conformance"
_SAID_ALIKE = (
    *(name for name in HEAD if name != "model"),
    "finish_reason",
    "native_finish_reason",
    "cost",
    "cost_details",
    "is_byok",
    "server_tool_use",
)


@dataclass(frozen=True)
class Way:
    """One way of asking one adapter.

    Attributes:
        adapter: "langchain" or "llamaindex".
        streams: whether it asks for a stream; what it gives then is the sum, or the last item.
        waits: whether it is async.
    """

    adapter: str
    streams: bool
    waits: bool

    def __str__(self) -> str:
        return f"{self.adapter}-{'a' * self.waits}{'stream' if self.streams else 'whole'}"

    def ask(self, runner: asyncio.Runner, address: str, *, before: Any = None, **options: Any) -> Any:
        """The answer at an address.

        Args:
            runner: where async calls run.
            address: where the answer stands.
            before: an answer that was given before, to go back with the question.
            **options: the model's.

        Raises:
            OpenRouterError: whatever went wrong.
        """
        made, talk = self._model(address, options), self._talk(before)
        answer = _ASK[self.adapter, self.streams, self.waits](made, talk)
        return runner.run(answer) if self.waits else answer

    def _model(self, address: str, options: dict[str, Any]) -> Any:
        given = {"model": "a/b", "base_url": address, "api_key": KEY, "max_retries": 0, **options}
        return ChatOpenRouter(**given) if self.adapter == "langchain" else OpenRouter(**given)

    def _talk(self, before: Any) -> list[Any]:
        if self.adapter == "langchain":
            return [HumanMessage("hi"), *([before, HumanMessage("and?")] if before else [])]
        return [ChatMessage("hi"), *([before.message, ChatMessage("and?")] if before else [])]

    def outcome(self, runner: asyncio.Runner, address: str, **options: Any) -> Any:
        """The answer at an address, or the error."""
        try:
            return self.ask(runner, address, **options)
        except OpenRouterError as error:
            return error

    def failed_tries(self, answer: Any) -> list[dict[str, Any]]:
        """The tries that failed before an answer came."""
        told = answer.response_metadata if self.adapter == "langchain" else answer.additional_kwargs
        return told["failed_tries"]

    def shown(self, answer: Any) -> Facts:
        """The facts that an answer shows."""
        return _SHOWN[self.adapter](answer)


WAYS = [Way(adapter, s, w) for adapter in ("langchain", "llamaindex") for s in (False, True) for w in (False, True)]


def fields(answer: Any, *but: str) -> dict[str, Any]:
    """Everything an answer holds, but for LangChain's number of the run."""
    return {key: value for key, value in answer.model_dump().items() if key not in ("id", *but)}


# --------------------------------------------------------------------------------------------------------- LangChain


def langchain_whole(model: Any, talk: list[Any]) -> AIMessage:
    return model.invoke(talk)


def langchain_stream(model: Any, talk: list[Any]) -> AIMessage:
    return summed(list(model.stream(talk)))


async def langchain_awhole(model: Any, talk: list[Any]) -> AIMessage:
    return await model.ainvoke(talk)


async def langchain_astream(model: Any, talk: list[Any]) -> AIMessage:
    return summed([chunk async for chunk in model.astream(talk)])


def summed(chunks: list[Any]) -> AIMessage:
    """The sum of the chunks, as the message that LangChain makes of it."""
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    made = message_chunk_to_message(total)
    assert type(made) is AIMessage
    return made


def langchain_shown(message: AIMessage) -> Facts:
    extra, metadata = message.additional_kwargs, message.response_metadata
    details = extra.get("reasoning_details") or []
    return known(
        {
            **{name: metadata.get(name) for name in _SAID_ALIKE},
            "model": metadata.get("model_name"),
            "text": message.content,
            "reasoning": extra.get("reasoning_content"),
            "reasoning_details": details,
            "opaque": opaque(details),
            "calls": langchain_calls(message),
            "refusal": extra.get("refusal"),
            "images": [image["image_url"]["url"] for image in extra.get("images") or []],
            "audio": extra.get("audio"),
            "annotations": extra.get("annotations"),
            "logprobs": logprob_facts((metadata.get("logprobs") or {}).get("content")),
            **langchain_usage(message),
        }
    )


def langchain_calls(message: AIMessage) -> list[tuple[Any, Any, Any]]:
    return [(call["id"], call["name"], call["args"]) for call in [*message.tool_calls, *message.invalid_tool_calls]]


def langchain_usage(message: AIMessage) -> Facts:
    usage: Any = message.usage_metadata or {}
    read, made = usage.get("input_token_details", {}), usage.get("output_token_details", {})
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "total_tokens": usage.get("total_tokens"),
        "cached_tokens": read.get("cache_read"),
        "cache_write_tokens": read.get("cache_creation"),
        "reasoning_tokens": made.get("reasoning"),
    }


# -------------------------------------------------------------------------------------------------------- LlamaIndex


def llamaindex_whole(model: Any, talk: list[Any]) -> ChatResponse:
    return model.chat(talk)


def llamaindex_stream(model: Any, talk: list[Any]) -> ChatResponse:
    return list(model.stream_chat(talk))[-1]


async def llamaindex_awhole(model: Any, talk: list[Any]) -> ChatResponse:
    return await model.achat(talk)


async def llamaindex_astream(model: Any, talk: list[Any]) -> ChatResponse:
    return [item async for item in await model.astream_chat(talk)][-1]


def llamaindex_shown(response: ChatResponse) -> Facts:
    said = response.additional_kwargs
    [text], heard = blocks(response, TextBlock), llamaindex_audio(response)
    thoughts = blocks(response, ThinkingBlock)
    details = [item for block in thoughts for item in block.additional_information.get("reasoning_details") or []]
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    return known(
        {
            **{name: said.get(name) for name in (*_SAID_ALIKE, "model", "refusal", "annotations", *counts)},
            **{name: said.get(name) for name in ("cached_tokens", "cache_write_tokens", "reasoning_tokens")},
            "text": "" if heard and text.text == heard.get("transcript") else text.text,  # spoken words stand there too
            "reasoning": "".join(block.content or "" for block in thoughts),
            "reasoning_details": details,
            "opaque": opaque(details),
            "calls": [(b.tool_call_id, b.tool_name, b.tool_kwargs) for b in blocks(response, ToolCallBlock)],
            "images": [str(block.url) for block in blocks(response, ImageBlock)],
            "audio": heard,
            "logprobs": [row_facts(row) for row in response.logprobs or []],
        }
    )


def blocks(response: ChatResponse, kind: type[Any]) -> list[Any]:
    return [block for block in response.message.blocks if isinstance(block, kind)]


def llamaindex_audio(response: ChatResponse) -> Facts | None:
    """The sound is in a block, what belongs to it beside the message."""
    sound = [block.audio.decode() for block in blocks(response, AudioBlock)]
    return {**response.additional_kwargs["audio"], "data": sound[0]} if sound else None


def row_facts(row: list[Any]) -> tuple[str, float, dict[str, float]]:
    return row[0].token, row[0].logprob, {item.token: item.logprob for item in row}


_ASK: dict[tuple[str, bool, bool], Callable[[Any], Any]] = {
    ("langchain", False, False): langchain_whole,
    ("langchain", True, False): langchain_stream,
    ("langchain", False, True): langchain_awhole,
    ("langchain", True, True): langchain_astream,
    ("llamaindex", False, False): llamaindex_whole,
    ("llamaindex", True, False): llamaindex_stream,
    ("llamaindex", False, True): llamaindex_awhole,
    ("llamaindex", True, True): llamaindex_astream,
}
_SHOWN: dict[str, Callable[[Any], Facts]] = {"langchain": langchain_shown, "llamaindex": llamaindex_shown}
