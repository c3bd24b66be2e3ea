"""Asking: both adapters, sync and async, streamed and not, to the end or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from itertools import islice
from operator import add
from typing import Any, TypeAlias

from langchain_core.messages import HumanMessage
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock, ToolCallBlock

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

from .answers import question
from .judging import Got, Left
from .plan import Call

GIVEN: dict[str, Any] = {"model": "openai/gpt-5-mini", "api_key": "sk-or-soak"}


class LangChain:
    """LangChain's words."""

    def __init__(self, **given: Any) -> None:
        self.model = ChatOpenRouter(**given)

    def whole(self, call: Call) -> Any:
        return self.model.invoke([HumanMessage(question(call.number))], **call.options())

    def stream(self, call: Call) -> Iterator[Any]:
        return self.model.stream([HumanMessage(question(call.number))], **call.options())

    async def awhole(self, call: Call) -> Any:
        return await self.model.ainvoke([HumanMessage(question(call.number))], **call.options())

    async def astream(self, call: Call) -> AsyncIterator[Any]:
        return self.model.astream([HumanMessage(question(call.number))], **call.options())

    def text(self, items: list[Any]) -> str:
        """The text of the first items of a stream."""
        return "".join(item.text for item in items)

    def got(self, items: list[Any]) -> Got:
        """What all items of a stream, or the only one of an answer, say."""
        message = reduce(add, items)
        return Got(
            message.text,
            message.additional_kwargs.get("reasoning_content", ""),
            [call["args"] for call in message.tool_calls],
            (message.usage_metadata or {}).get("total_tokens", 0),
            message.response_metadata.get("cost", 0.0),
        )


class LlamaIndex:
    """LlamaIndex's words."""

    def __init__(self, **given: Any) -> None:
        self.model = OpenRouter(**given)

    def whole(self, call: Call) -> Any:
        return self.model.chat([ChatMessage(question(call.number))], **call.options())

    def stream(self, call: Call) -> Iterator[Any]:
        return self.model.stream_chat([ChatMessage(question(call.number))], **call.options())

    async def awhole(self, call: Call) -> Any:
        return await self.model.achat([ChatMessage(question(call.number))], **call.options())

    async def astream(self, call: Call) -> AsyncIterator[Any]:
        return await self.model.astream_chat([ChatMessage(question(call.number))], **call.options())

    def text(self, items: list[Any]) -> str:
        """As `LangChain.text`: each item has all of the text so far."""
        return (
            "".join(block.text for block in items[-1].message.blocks if isinstance(block, TextBlock)) if items else ""
        )

    def got(self, items: list[Any]) -> Got:
        """As `LangChain.got`."""
        blocks, extra = items[-1].message.blocks, items[-1].additional_kwargs
        return Got(
            self.text(items),
            "".join(block.content or "" for block in blocks if isinstance(block, ThinkingBlock)),
            [block.tool_kwargs for block in blocks if isinstance(block, ToolCallBlock)],
            extra.get("total_tokens", 0),
            extra.get("cost", 0.0),
        )


Adapter: TypeAlias = LangChain | LlamaIndex


class Asked:
    """The model objects that all calls share, and the two ways to ask them."""

    def __init__(self, base_url: str) -> None:
        kinds: dict[str, type[Adapter]] = {"langchain": LangChain, "llamaindex": LlamaIndex}
        self._adapters = {
            (name, aiohttp): kind(**GIVEN, base_url=base_url, **({"http_async_client": "aiohttp"} if aiohttp else {}))
            for name, kind in kinds.items()
            for aiohttp in (False, True)
        }

    def _of(self, call: Call) -> Adapter:
        return self._adapters[call.adapter, call.aiohttp]

    def ask(self, call: Call) -> Got | Left:
        """The outcome of a sync call; its errors are raised."""
        adapter = self._of(call)
        if not call.streams:
            return adapter.got([adapter.whole(call)])
        stream = adapter.stream(call)
        items = list(islice(stream, call.after if call.leaves else None))
        if not call.leaves or len(items) < call.after:
            return adapter.got(items)
        if call.leaves == "close":
            stream.close()  # type: ignore[attr-defined]
        elif call.leaves == "cycle":
            Knot(stream)
        return Left(adapter.text(items))

    async def aask(self, call: Call) -> Got | Left:
        """The outcome of an async call; its errors are raised."""
        if call.leaves != "cancel":
            return await self._to_the_end(call)
        task = asyncio.create_task(self._to_the_end(call))
        await asyncio.sleep(call.patience)
        task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            return Left("")

    async def _to_the_end(self, call: Call) -> Got | Left:
        adapter = self._of(call)
        if not call.streams:
            return adapter.got([await adapter.awhole(call)])
        stream = await adapter.astream(call)
        if not call.leaves or call.leaves == "cancel":
            return adapter.got([item async for item in stream])
        items = []
        async for item in stream:
            items.append(item)
            if len(items) == call.after:
                break
        else:
            return adapter.got(items)
        if call.leaves == "close":
            await stream.aclose()  # type: ignore[attr-defined]
        elif call.leaves == "cycle":
            Knot(stream)
        return Left(adapter.text(items))

    def close(self) -> None:
        """Close what is for sync calls."""
        for adapter in self._adapters.values():
            adapter.model.close()

    async def aclose(self) -> None:
        """Close what is for the running loop, too."""
        for adapter in self._adapters.values():
            await adapter.model.aclose()


class Knot:
    """Holds something in a reference cycle: only the garbage collector finds it."""

    def __init__(self, held: object) -> None:
        self.held, self.itself = held, self
