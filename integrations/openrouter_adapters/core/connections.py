"""The `openai` clients under everything: made on first use, one for sync, one per event loop, shared by all models.

The SDK does authentication, time limits and connections; it hands over raw bytes, since building its typed objects is
most of what a chunk costs. Its own retries are off (the one layer that retries is `core.client`), and its
``OPENAI_*`` environment has no influence. This module imports openai: import it late.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Any

import openai
from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from pydantic import SecretStr
from typing_extensions import override

_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "openrouter-adapters",
}


sending: ContextVar[SecretStr] = ContextVar("sending")
"""The ``Authorization`` of the request that is being sent; empty: it needs none.

It is put on at the last moment, so that no frame of the SDK holds it when something goes wrong.
"""


def _authorize(request: Any) -> None:
    request.headers.pop("Authorization", None)
    if authorization := sending.get().get_secret_value():
        request.headers["Authorization"] = authorization


class _SyncSDK(OpenAI):
    """Without the SDK's own headers: neither ``OPENAI_ORG_ID`` nor ``OPENAI_CUSTOM_HEADERS`` leak to OpenRouter."""

    @override
    def _prepare_request(self, request: Any) -> None:
        super()._prepare_request(request)
        _authorize(request)

    @property
    @override
    def default_headers(self) -> dict[str, Any]:
        return dict(_HEADERS)


class _AsyncSDK(AsyncOpenAI):
    @override
    async def _prepare_request(self, request: Any) -> None:
        await super()._prepare_request(request)
        _authorize(request)

    @property
    @override
    def default_headers(self) -> dict[str, Any]:
        return dict(_HEADERS)


class Opened(Stream[object]):
    """An open response, its body unread."""

    def __init__(self, *, response: Any, **_: Any) -> None:
        self.response = response


class AsyncOpened(AsyncStream[object]):
    """An open response of an async client, its body unread."""

    def __init__(self, *, response: Any, **_: Any) -> None:
        self.response = response


# Every request names its own key and address; the SDK only wants to have some. This address leads nowhere.
_UNUSED: dict[str, Any] = {"api_key": "unset", "base_url": "http://unset.invalid", "max_retries": 0}


def sync_sdk(http_client: Any) -> OpenAI:
    """An SDK client over an HTTP client of the caller's."""
    return _SyncSDK(http_client=http_client, **_UNUSED)


def async_sdk(http_client: Any) -> AsyncOpenAI:
    """An async SDK client over an HTTP client of the caller's."""
    return _AsyncSDK(http_client=http_client, **_UNUSED)


class Connections:
    """The shared clients of this process.

    Users are counted, so that closing one model does not break another's streams: the last one out closes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        self._tls: Any = None
        self._sync: OpenAI | None = None
        self._async: dict[tuple[asyncio.AbstractEventLoop, str], tuple[AsyncOpenAI, AsyncGenerator[None]]] = {}

    def sync(self, user: object) -> OpenAI:
        """The client for sync requests."""
        with self._lock:
            self._users.add(user)
            if self._sync is None:
                self._sync = sync_sdk(openai.DefaultHttpxClient(verify=self._tls_context()))
            return self._sync

    async def for_loop(self, user: object, kind: str = "httpx") -> AsyncOpenAI:
        """The client for async requests in the running event loop.

        Args:
            user: who asks; it counts as a user from now on.
            kind: "httpx" or "aiohttp".

        Raises:
            RuntimeError: "aiohttp" without the extra of that name installed.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            self._users.add(user)
            self._forget_closed_loops()
            found = self._async.get((loop, kind))
            if found is not None:
                return found[0]
            factory = openai.DefaultAioHttpClient if kind == "aiohttp" else openai.DefaultAsyncHttpxClient
            sdk = async_sdk(factory(verify=self._tls_context()))
            closer = self._closing(loop, kind, sdk)
            self._async[loop, kind] = (sdk, closer)
        # A loop that shuts down ends its async generators: this one then closes the client, inside the loop.
        await anext(closer)
        return sdk

    async def _closing(self, loop: asyncio.AbstractEventLoop, kind: str, sdk: AsyncOpenAI) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._async.pop((loop, kind), None)
            await sdk.close()

    def _forget_closed_loops(self) -> None:
        for key in list(self._async):
            if key[0].is_closed():
                del self._async[key]

    def _tls_context(self) -> Any:
        """One TLS context for all clients: making one is most of what a client costs."""
        if self._tls is None:
            base = next(c for c in openai.DefaultHttpxClient.__mro__ if c.__module__.partition(".")[0] != "openai")
            self._tls = importlib.import_module(base.__module__.partition(".")[0]).create_ssl_context()
        return self._tls

    def leave(self, user: object) -> None:
        """A user is done with sync requests; the last one out closes the sync client."""
        with self._lock:
            self._users.discard(user)
            sdk, self._sync = (None, self._sync) if self._users else (self._sync, None)
        if sdk is not None:
            sdk.close()

    async def leave_loop(self, user: object) -> None:
        """A user is done; the last one out closes the clients of the running loop and the sync client."""
        self.leave(user)
        if not self._users:
            loop = asyncio.get_running_loop()
            with self._lock:
                closers = [closer for key, (_, closer) in self._async.items() if key[0] is loop]
            for closer in closers:
                await closer.aclose()

    def close_sync(self) -> None:
        """Close the sync client, whoever uses it: the process ends."""
        sdk, self._sync = self._sync, None
        if sdk is not None:
            sdk.close()


shared = Connections()
"""The connections of this process."""

atexit.register(lambda: shared.close_sync())


def _after_fork() -> None:
    """A forked child must not talk over its parent's connections."""
    global shared
    shared = Connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
