"""Ways to leave a stream early, whether the server saw it, and whether the end of a loop is quiet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

from openrouter_adapters.gateway import LocalGateway


def endless(gateway: LocalGateway, **matching: Any) -> None:
    """A stream that begins, and then only keeps alive."""
    gateway.fault("comments_forever", after=2, **matching)
    gateway.reply("one two three four five six", **matching)


def left_early(gateway: LocalGateway, number: int = -1) -> bool:
    """Whether a client left, the last one unless said otherwise, and soon."""
    asked = gateway.requests[number]
    return asked.wait(1.0) and asked.client_left and asked.chunks_sent < 100


def closed(arriving: Any) -> None:
    next(arriving)
    arriving.close()


def dropped(arriving: Any) -> None:
    next(arriving)


def broken_off(arriving: Iterator[Any]) -> None:
    for _ in arriving:
        break


def failed(arriving: Iterator[Any]) -> None:
    with suppress(KeyError):
        for _ in arriving:
            raise KeyError


LEAVES: list[Callable[[Any], None]] = [closed, dropped, broken_off, failed]


async def aclosed(arriving: Any) -> None:
    await anext(arriving)
    await arriving.aclose()


async def abroken_off(arriving: AsyncIterator[Any]) -> None:
    async for _ in arriving:
        break


async def afailed(arriving: AsyncIterator[Any]) -> None:
    with suppress(KeyError):
        async for _ in arriving:
            raise KeyError


ASYNC_LEAVES: list[Callable[[Any], Any]] = [aclosed, abroken_off, afailed]

_LOOP_ENDS = """
import asyncio, contextlib, gc, logging
from openrouter_adapters.gateway import LocalGateway
{imports}

# A busy machine is slow: no loop, the gateway's neither, is asked to tell of it.
logging.getLogger("asyncio").addFilter(lambda told: not told.getMessage().startswith("Executing "))

async def main(model, how):
    stream = {stream}
    if how == "raised":
        async for _ in stream:
            raise KeyError
    await anext(stream)
    cycle = [stream]
    if how == "cycle":
        cycle.append(cycle)
    else:
        held.append(stream)

held = []
with LocalGateway() as gateway:
    gateway.fault("comments_forever", after=2, times=None)
    model = {model}(model="openai/gpt-4o-mini", api_key="k", base_url=gateway.base_url)
    for how in ("raised", "held", "cycle"):
        with contextlib.suppress(KeyError):
            asyncio.run(main(model, how))
        print(how, gateway.requests[-1].wait(1.0) and gateway.requests[-1].client_left)
        held.clear()
        gc.collect()
"""


def loop_ends(imports: str, model: str, stream: str) -> tuple[str, str]:
    """What is printed, and complained of, when loops end while a stream is open."""
    script = _LOOP_ENDS.format(imports=imports, model=model, stream=stream)
    warned = ["-X", "dev", "-W", "error::ResourceWarning"]
    ran = subprocess.run([sys.executable, *warned, "-c", script], capture_output=True, text=True, check=True)
    return ran.stdout, ran.stderr


LOOP_ENDED_QUIETLY = ("raised True\nheld True\ncycle True\n", "")
