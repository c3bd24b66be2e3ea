"""The pytest fixture ``openrouter_gateway``: a fresh local OpenRouter for each test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .gateway import LocalGateway


@pytest.fixture(scope="session")
def _openrouter_gateway_server() -> "Iterator[LocalGateway]":
    """One server for the whole session: starting it is the slow part."""
    from .gateway import LocalGateway

    with LocalGateway() as gateway:
        yield gateway


@pytest.fixture
def openrouter_gateway(_openrouter_gateway_server: "LocalGateway") -> "Iterator[LocalGateway]":
    """A local OpenRouter that remembers nothing of other tests."""
    _openrouter_gateway_server.reset()
    yield _openrouter_gateway_server
    _openrouter_gateway_server.reset()
