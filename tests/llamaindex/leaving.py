"""Ways to leave a stream, and whether the server saw it."""

from typing import Any

from openrouter_adapters.gateway import LocalGateway


def left(gateway: LocalGateway, chunks: int) -> bool:
    """Whether the client left the last stream, which has so many chunks, before its end."""
    request = gateway.requests[-1]
    assert request.wait(), "the server is still sending"
    return request.client_left and request.chunks_sent < chunks


def dropped(stream: Any) -> None:
    next(stream)


def broken_off(stream: Any) -> None:
    for _ in stream:
        break


def closed(stream: Any) -> None:
    next(stream)
    stream.close()


LEAVES = [dropped, broken_off, closed]
