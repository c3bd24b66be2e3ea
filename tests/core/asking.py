"""The four ways of asking core's client: whole or streamed, sync or async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from openrouter_adapters.core.client import Client
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request, build_request
from openrouter_adapters.gateway import LocalGateway

KEY = "sk-or-very-secret"
MESSAGES = [{"role": "user", "content": "hi"}]

Ask = Callable[[Client, Request], tuple[str, Reply]]


def request(gateway: LocalGateway, **options: Any) -> Request:
    given = {"api_key": KEY, "base_url": gateway.base_url, "model": "openai/gpt-4o-mini", "max_retries": 0, **options}
    return build_request(OpenRouterOptions(**given), {}, MESSAGES)


def complete(client: Client, asked: Request) -> tuple[str, Reply]:
    reply = client.complete(asked)
    return reply.text, reply


def stream(client: Client, asked: Request) -> tuple[str, Reply]:
    with client.stream(asked) as arriving:
        text = "".join(delta.text for delta in arriving)
    return text, arriving.reply()


def acomplete(client: Client, asked: Request) -> tuple[str, Reply]:
    async def ask() -> tuple[str, Reply]:
        reply = await client.acomplete(asked)
        return reply.text, reply

    return asyncio.run(ask())


async def astreamed(client: Client, asked: Request) -> tuple[str, Reply]:
    async with client.astream(asked) as arriving:
        text = "".join([delta.text async for delta in arriving])
    return text, arriving.reply()


def astream(client: Client, asked: Request) -> tuple[str, Reply]:
    return asyncio.run(astreamed(client, asked))


WAYS: list[Ask] = [complete, stream, acomplete, astream]
STREAMS: list[Ask] = [stream, astream]
ways = pytest.mark.parametrize("ask", WAYS)
streams = pytest.mark.parametrize("ask", STREAMS)
