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
    """A local OpenRouter that remembers nothing of other tests.

    With ``openrouter_gateway.strict = True`` a request that nothing is scripted for is refused and fails the test, even
    where the code under test swallows the error; so does a scripted reply that nobody asked for.
    """
    gateway = _openrouter_gateway_server
    gateway.reset()
    yield gateway
    complaints = _complaints(gateway) if gateway.strict else []
    gateway.reset()
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


def _complaints(gateway: "LocalGateway") -> list[str]:
    unscripted = [f"openrouter_gateway is strict: nothing was scripted for {asked}" for asked in gateway.unscripted]
    return [*unscripted, *(f"openrouter_gateway is strict: nobody asked for {reply}" for reply in gateway.unused)]
