"""A server in a process of its own that answers at once with what it made beforehand: it must never be what is slow.

What it answers stands in the model's name: ``bench/text-2000`` streams 2,000 chunks of text,
``bench/text-2000-packets`` sends each in a packet of its own, ``bench/text-12-timed`` says in each when it was sent,
``bench/call-0-wait50`` answers after 50 ms.
``GET /connections`` tells how many connections there have been.

    python -m benchmarks.server     # prints its port
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from functools import cache
from typing import Any

ID, MODEL, PROVIDER = "gen-1795730000-AbCdEfGhIjKlMnOpQrSt", "openai/gpt-5-mini", "OpenAI"
HEAD = {"id": ID, "provider": PROVIDER, "model": MODEL, "object": "chat.completion.chunk", "created": 1795730000}
HEAD |= {"system_fingerprint": None, "service_tier": None}  # one of the peers refuses an answer without them
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 34,
    "total_tokens": 46,
    "cost": 0.000071,
    "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 0},
    "cost_details": {"upstream_inference_cost": 0.000071},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
WORD = "word "
PER_BLOCK = 24  # events that come in one write, as from a fast provider; each is an HTTP chunk of its own all the same
OPENING = 3.0  # seconds for many streams to be opened,
TICK = 0.25  # then between two chunks, each of which says when it was sent
PAUSE = 0.0005  # seconds between two packets, so that they are not read together


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
    choice |= {"native_finish_reason": finish, "logprobs": None}
    return b"data: " + json.dumps({**HEAD, "choices": [choice], **more}).encode() + b"\n\n"


def thought(text: str) -> dict[str, Any]:
    detail = {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}
    return {"content": "", "reasoning": text, "reasoning_details": [detail]}


def arguments(text: str, **head: Any) -> dict[str, Any]:
    call = {"index": 0, "type": "function", **head, "function": {"arguments": text, **({"name": "f"} if head else {})}}
    return {"content": None, "tool_calls": [call]}


def pieces(kind: str, number: int) -> list[bytes]:
    if kind == "text":
        return [chunk({"content": WORD})] * number
    if kind == "reasoning":
        return [chunk(thought(WORD))] * number
    inner = [chunk(arguments(WORD))] * (number - 2)
    return [chunk(arguments('{"a": "', id="call_1")), *inner, chunk(arguments('"}'))]


@cache
def stream(kind: str, number: int) -> list[bytes]:
    """The chunks of an answer, its end included."""
    finish = "tool_calls" if kind == "tool" else "stop"
    last = chunk({"content": ""}, usage=USAGE)
    return [*pieces(kind, number), chunk({"content": ""}, finish), last, b"data: [DONE]\n\n"]


@cache
def whole() -> bytes:
    message = {"role": "assistant", "content": WORD * 34, "refusal": None, "reasoning": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "native_finish_reason": "stop", "logprobs": None}
    return json.dumps({**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


def response(body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@cache
def packets(kind: str, number: int) -> list[bytes]:
    """Each event as an HTTP chunk, as servers that flush send it."""
    return [framed(event) for event in stream(kind, number)]


@cache
def blocks(kind: str, number: int) -> list[bytes]:
    """Those chunks, so many in each write."""
    chunks = packets(kind, number)
    return [b"".join(chunks[at : at + PER_BLOCK]) for at in range(0, len(chunks), PER_BLOCK)]


def framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-generation-id: "
    + ID.encode()
    + b"\r\ntransfer-encoding: chunked\r\n\r\n"
)


class Server:
    def __init__(self) -> None:
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted = False
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET /connections"):
                    writer.write(response(str(self.connections).encode(), "text/plain"))
                    continue
                self.connections += not counted
                counted = True
                await self.answer(json.loads(await reader.readexactly(length(head))), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        kind, number, *how = body["model"].removeprefix("openrouter/").removeprefix("bench/").split("-")
        if how and how[0].startswith("wait"):
            await asyncio.sleep(int(how[0].removeprefix("wait")) / 1000)
        if not body.get("stream"):
            writer.write(response(whole(), "application/json"))
            return
        writer.write(STREAM_HEAD)
        if how == ["timed"]:
            await timed(int(number), writer)
        elif how == ["packets"]:
            for packet in packets(kind, int(number)):
                writer.write(packet)
                await asyncio.sleep(PAUSE)
        else:
            for block in blocks(kind, int(number)):
                writer.write(block)
                await writer.drain()
        writer.write(b"0\r\n\r\n")


async def timed(number: int, writer: asyncio.StreamWriter) -> None:
    """A stream whose chunks say when they were sent; it begins when all are open, at any time within a tick."""
    await asyncio.sleep(OPENING + random.random() * TICK)
    for _ in range(number):
        writer.write(framed(chunk({"content": f"{time.time()} "})))
        await asyncio.sleep(TICK)
    for event in stream("text", 0):
        writer.write(framed(event))


def length(head: bytes) -> int:
    named = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(named.partition(b":")[2])


async def main() -> None:
    server = await asyncio.start_server(Server().serve, "127.0.0.1", 0, backlog=1024, limit=2**22)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent is gone


if __name__ == "__main__":
    asyncio.run(main())
