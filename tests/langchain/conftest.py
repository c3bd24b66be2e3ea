"""What the LangChain tests share: a gateway per test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.pytest_plugin import _openrouter_gateway_server, openrouter_gateway
from openrouter_adapters.langchain import ChatOpenRouter

from ..making import making

__all__ = ["_openrouter_gateway_server", "openrouter_gateway"]


@pytest.fixture
def make(openrouter_gateway: LocalGateway) -> Iterator[Callable[..., ChatOpenRouter]]:
    """Makes models that talk to the gateway, and closes them."""
    with making(ChatOpenRouter, openrouter_gateway, model="openai/gpt-4o-mini", api_key="k") as make:
        yield make


@pytest.fixture
def model(make: Callable[..., ChatOpenRouter]) -> ChatOpenRouter:
    return make()


@pytest.fixture
def sent(openrouter_gateway: LocalGateway) -> Callable[[], dict[str, Any]]:
    """The body of the last request."""
    return lambda: openrouter_gateway.requests[-1].body
