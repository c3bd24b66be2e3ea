"""Every way of asking: six classes, sync and async, streamed and not, async ones over aiohttp too."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import openai
import pytest
from llama_index.core.llms import ChatMessage

from openrouter_adapters import langchain, llamaindex

KEY = "sk-or-very-secret-key"
HEADER = "very-secret-header"
SECRETS = (KEY, HEADER)
OWN = {"X-Provider-Key": HEADER}

_NEEDED = ("aiohttp", "httpx_aiohttp") if openai.VERSION.startswith("2.") else ("aiohttp",)
HAS_AIOHTTP = all(map(importlib.util.find_spec, _NEEDED))
needs_aiohttp = pytest.mark.skipif(not HAS_AIOHTTP, reason="needs the aiohttp extra")


@dataclass(frozen=True)
class Way:
    """One way of asking.

    Attributes:
        cls: the class of the model.
        name: its method.
        call: asks it; a coroutine function where it is async.
        streams: whether it asks for a stream.
        waits: whether it is async.
        aiohttp: whether it goes over aiohttp.
    """

    cls: type[Any]
    name: str
    call: Callable[..., Any]
    streams: bool = False
    waits: bool = False
    aiohttp: bool = False

    def __str__(self) -> str:
        return f"{self.cls.__module__.split('.')[1]}-{self.name}{'-aiohttp' * self.aiohttp}"

    def model(self, base_url: str, **options: Any) -> Any:
        over = {"http_async_client": "aiohttp"} if self.aiohttp else {}
        given = {"model": "a/b", "api_key": KEY, "max_retries": 0, "base_url": base_url, **over, **options}
        return self.cls(**given)

    def ask(self, model: Any, **call: Any) -> Any:
        """Ask, in an event loop of its own where that is needed."""
        return asyncio.run(self.aask(model, **call)) if self.waits else self.call(model, **call)

    async def aask(self, model: Any, **call: Any) -> Any:
        return await self.call(model, **call)

    def ask_over(self, client: Any, base_url: str, **options: Any) -> Any:
        """Ask over an HTTP client of one's own, and close that afterwards."""
        if self.waits:
            return asyncio.run(self._aask_over(client, base_url, **options))
        with client:
            return self.call(self.model(base_url, http_client=client, **options))

    async def _aask_over(self, client: Any, base_url: str, **options: Any) -> Any:
        async with client:
            return await self.call(self.model(base_url, http_async_client=client, **options))

    def leave_early(self, model: Any, noticed: Event) -> bool:
        """Leave a stream after its first piece; whether that was noticed while client and event loop live on."""
        if self.waits:
            return asyncio.run(self._aleave_early(model, noticed))
        arriving = model.stream("hi")
        next(arriving)
        arriving.close()
        return noticed.wait(2.0)

    async def _aleave_early(self, model: Any, noticed: Event) -> bool:
        arriving = model.astream("hi")
        await anext(arriving)
        await arriving.aclose()
        return await asyncio.to_thread(noticed.wait, 2.0)

    def leave_early_over(self, client: Any, base_url: str, noticed: Event) -> bool:
        """The same over an HTTP client of one's own, which is closed afterwards."""
        if self.waits:
            return asyncio.run(self._aleave_early_over(client, base_url, noticed))
        with client:
            return self.leave_early(self.model(base_url, http_client=client), noticed)

    async def _aleave_early_over(self, client: Any, base_url: str, noticed: Event) -> bool:
        async with client:
            return await self._aleave_early(self.model(base_url, http_async_client=client), noticed)


def _drained(arriving: Any) -> list[Any]:
    return list(arriving)


async def _adrained(arriving: Any) -> list[Any]:
    return [piece async for piece in arriving]


async def _astream_chat(model: Any, **call: Any) -> list[Any]:
    return await _adrained(await model.astream_chat(_HI, **call))


_HI = [ChatMessage(role="user", content="hi")]
_LC, _LI = langchain.ChatOpenRouter, llamaindex.OpenRouter
_CHAT = [
    Way(_LC, "invoke", lambda model, **call: model.invoke("hi", **call)),
    Way(_LC, "stream", lambda model, **call: _drained(model.stream("hi", **call)), streams=True),
    Way(_LC, "ainvoke", lambda model, **call: model.ainvoke("hi", **call), waits=True),
    Way(_LC, "astream", lambda model, **call: _adrained(model.astream("hi", **call)), streams=True, waits=True),
    Way(_LI, "chat", lambda model, **call: model.chat(_HI, **call)),
    Way(_LI, "stream_chat", lambda model, **call: _drained(model.stream_chat(_HI, **call)), streams=True),
    Way(_LI, "achat", lambda model, **call: model.achat(_HI, **call), waits=True),
    Way(_LI, "astream_chat", _astream_chat, streams=True, waits=True),
]
_OTHER = [
    Way(langchain.OpenRouterEmbeddings, "embed", lambda model, **call: model.embed_documents(["a"], **call)),
    Way(
        langchain.OpenRouterEmbeddings,
        "aembed",
        lambda model, **call: model.aembed_documents(["a"], **call),
        waits=True,
    ),
    Way(langchain.OpenRouterRerank, "rerank", lambda model, **call: model.rerank("q", ["a"], **call)),
    Way(langchain.OpenRouterRerank, "arerank", lambda model, **call: model.arerank("q", ["a"], **call), waits=True),
    Way(llamaindex.OpenRouterEmbedding, "embed", lambda model, **call: model.embed(["a"], **call)),
    Way(llamaindex.OpenRouterEmbedding, "aembed", lambda model, **call: model.aembed(["a"], **call), waits=True),
    Way(llamaindex.OpenRouterRerank, "rerank", lambda model, **call: model.rerank("q", ["a"], **call)),
    Way(llamaindex.OpenRouterRerank, "arerank", lambda model, **call: model.arerank("q", ["a"], **call), waits=True),
]


def _over_aiohttp(ways: list[Way]) -> list[Any]:
    return [pytest.param(replace(way, aiohttp=True), marks=needs_aiohttp) for way in ways if way.waits]


def _parametrized(ways: list[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", ways, ids=str)


LANGCHAIN = _CHAT[:4]
_CHEAPER = [*LANGCHAIN, *_over_aiohttp(LANGCHAIN)]
every_way = _parametrized([*_CHAT, *_OTHER, *_over_aiohttp(_CHAT), *_over_aiohttp(_OTHER)])
chat_ways = _parametrized(_CHEAPER)
"""One chat class, whole and streamed, sync, async and over aiohttp."""
plain_ways = _parametrized(LANGCHAIN)
"""The same without aiohttp."""
sync_ways = _parametrized([way for way in LANGCHAIN if not way.waits])
stream_ways = _parametrized([*[way for way in LANGCHAIN if way.streams], _over_aiohttp(LANGCHAIN)[1]])
own_stream_ways = _parametrized([way for way in LANGCHAIN if way.streams])
"""Those that an HTTP client of the caller's can carry."""
async_ways = _parametrized([*[way for way in LANGCHAIN if way.waits], *_over_aiohttp(LANGCHAIN)])
