"""`look_up`: one question to an endpoint that costs nothing, such as the models for sale or the state of a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import SecretStr

from openrouter_adapters.core.arguments import checked_address, split_user
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.options import DEFAULT_MAX_RETRIES
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.wire import hidden

T = TypeVar("T")


def look_up(
    path: str,
    read: Callable[[dict[str, Any]], T],
    *,
    base_url: str,
    api_key: SecretStr,
    timeout: float | None = None,
) -> T:
    """Ask one question, with the retries that are due, over a connection of its own. No secret comes back.

    Args:
        path: the endpoint, with its query.
        read: makes the answer of the JSON object; raises `core.answer.Unreadable` when it cannot.
        base_url: where to ask.
        api_key: the key; an empty one is not sent.
        timeout: seconds to connect, and between two bytes; None: the SDK's default.

    Raises:
        ValueError: ``base_url`` is no web address.
        OpenRouterError: the request failed, or its answer did.
    """
    asked = question(path, base_url=base_url, api_key=api_key, timeout=timeout)
    client = Client()
    try:
        # A server may repeat what it was sent.
        return client.fetch(asked, lambda body: read(hidden(body, *asked.secrets))).content
    finally:
        client.close()


def question(path: str, *, base_url: str, api_key: SecretStr, timeout: float | None = None) -> Request:
    """The request of a question; arguments and errors as of `look_up`."""
    address, basic = split_user(checked_address(base_url))
    return Request(
        body={},
        api_key=api_key,
        base_url=address,
        basic=basic,
        timeout=timeout,
        max_retries=DEFAULT_MAX_RETRIES,
        path=path,
        method="get",
    )
