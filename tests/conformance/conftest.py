"""What the conformance tests share: the server that replays, one event loop, and connections that end with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from .server import ReplayServer


@pytest.fixture(scope="session")
def server() -> Iterator[ReplayServer]:
    """Stands for the whole session: answers are told apart by their address."""
    made = ReplayServer()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all async calls, which therefore share connections."""
    with asyncio.Runner() as made:
        yield made
