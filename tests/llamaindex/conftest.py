"""An OpenRouter LLM that talks to a local gateway, and eyes for what LlamaIndex says of its calls."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.pytest_plugin import _openrouter_gateway_server, openrouter_gateway
from openrouter_adapters.llamaindex import OpenRouter

from ..making import making

__all__ = ["_openrouter_gateway_server", "openrouter_gateway"]

MODEL = "openai/gpt-4o-mini"
KEY = "sk-or-v1-the-secret"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def gateway(openrouter_gateway: LocalGateway) -> LocalGateway:
    return openrouter_gateway


@pytest.fixture
def make(gateway: LocalGateway) -> Iterator[Callable[..., OpenRouter]]:
    """Makes LLMs that talk to the gateway."""
    with making(OpenRouter, gateway, model=MODEL, api_key=KEY) as make:
        yield make


@pytest.fixture
def llm(make: Callable[..., OpenRouter]) -> OpenRouter:
    return make()


@pytest.fixture
def global_settings() -> Iterator[None]:
    """What a test puts into LlamaIndex's Settings is gone after it."""
    names = ("_llm", "_embed_model", "_callback_manager")
    before = {name: getattr(Settings, name) for name in names}
    yield
    for name, value in before.items():
        setattr(Settings, name, value)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """Every instrumentation event."""
    seen: list[Any] = []

    class Handler(BaseEventHandler):
        @classmethod
        def class_name(cls) -> str:
            return "Seen"

        def handle(self, event: Any, **_: Any) -> None:
            seen.append(event)

    dispatcher, handler = get_dispatcher(), Handler()
    dispatcher.add_event_handler(handler)
    yield seen
    dispatcher.event_handlers.remove(handler)


@pytest.fixture
def spans() -> Iterator[SimpleSpanHandler]:
    """Every finished span."""
    dispatcher, handler = get_dispatcher(), SimpleSpanHandler()
    dispatcher.add_span_handler(handler)
    yield handler
    dispatcher.span_handlers.remove(handler)
