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
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import openai
from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from typing_extensions import override

from openrouter_adapters.core.leaving import sweep

_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "openrouter-adapters",
}


class Sealed:
    """The headers of one request that nobody is to see: the ``Authorization``, and all that are the caller's."""

    __slots__ = ("headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers


sending: ContextVar[Sealed] = ContextVar("sending")
"""What the request that is being sent needs to have put on.

It is put on at the last moment, so that neither a log nor a frame of the SDK holds it when something goes wrong.
"""


def _put_on(request: Any) -> None:
    """The headers of a request: the caller's, and none of the SDK's about itself."""
    for name in [name for name in request.headers if name.lower().startswith("x-stainless-")]:
        del request.headers[name]
    request.headers.pop("Authorization", None)
    request.headers.update(sending.get().headers)


def _leave_behind(request: Any) -> None:
    """Take the caller's own headers off where a redirect leads to another host, and httpx has taken the key off."""
    headers = sending.get().headers
    if "Authorization" not in request.headers and any(name.lower() == "authorization" for name in headers):
        for name in headers:
            request.headers.pop(name, None)


async def _aleave_behind(request: Any) -> None:
    _leave_behind(request)


class Unsent(openai.OpenAIError):
    """What kept a request from being answered, as the cause.

    The SDK lets its own errors pass as they are. What it makes of others is not the same in its two majors.
    """


class Refused(openai.OpenAIError):
    """An answer with an error status. Its body is unread: the SDK would read it without a limit of time or size."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.response = response


def _accepted(response: Any) -> Any:
    if not response.is_success:
        raise Refused(response)
    return response


def _not_sent(error: Exception) -> openai.OpenAIError:
    """What an exception while sending is: a hook of the caller's client may raise for an error status by itself."""
    response = getattr(error, "response", None)
    return Unsent() if getattr(response, "is_success", True) else Refused(response)


class _SyncSDK(OpenAI):
    """Without the SDK's own headers: neither ``OPENAI_ORG_ID`` nor ``OPENAI_CUSTOM_HEADERS`` leak to OpenRouter."""

    @override
    def _prepare_request(self, request: Any) -> None:
        super()._prepare_request(request)
        _put_on(request)

    @override
    def _send_request(self, request: Any, *, stream: bool, **kwargs: Any) -> Any:
        try:
            response = super()._send_request(request, stream=stream, **kwargs)
        except Exception as error:
            raise _not_sent(error) from error
        return _accepted(response)

    @property
    @override
    def default_headers(self) -> dict[str, Any]:
        return dict(_HEADERS)


class _AsyncSDK(AsyncOpenAI):
    @override
    async def _prepare_request(self, request: Any) -> None:
        await super()._prepare_request(request)
        _put_on(request)

    @override
    async def _send_request(self, request: Any, *, stream: bool, **kwargs: Any) -> Any:
        try:
            response = await super()._send_request(request, stream=stream, **kwargs)
        except Exception as error:
            raise _not_sent(error) from error
        return _accepted(response)

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
            self._forget_closed_loops()
            if self._sync is None:
                self._sync = sync_sdk(openai.DefaultHttpxClient(**self._settings(_leave_behind)))
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
            sdk = async_sdk(factory(**self._settings(_aleave_behind)))
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

    def _settings(self, before_each: Callable[[Any], Any]) -> dict[str, Any]:
        """What all clients have alike: one TLS context, and no memory: a cookie would go out with another's key.

        Args:
            before_each: what sees each request before it is sent, redirected ones too.
        """
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return {"verify": self._tls_context(), "cookies": cookies, "event_hooks": {"request": [before_each]}}

    def _tls_context(self) -> Any:
        """One TLS context for all clients: making one is most of what a client costs."""
        if self._tls is None:
            base = next(c for c in openai.DefaultHttpxClient.__mro__ if c.__module__.partition(".")[0] != "openai")
            self._tls = importlib.import_module(base.__module__.partition(".")[0]).create_ssl_context()
        return self._tls

    def leave(self, user: object) -> None:
        """A user is done with sync requests; the last one out closes the sync client."""
        sweep()
        with self._lock:
            self._forget_closed_loops()
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
        sweep()
        sdk, self._sync = self._sync, None
        if sdk is not None:
            sdk.close()


shared = Connections()
"""The connections of this process."""

atexit.register(lambda: shared.close_sync())


_of_the_parent: list[Connections] = []


def _after_fork() -> None:
    """A forked child must not talk over its parent's connections; nor close them, for their locks may be held."""
    global shared
    _of_the_parent.append(shared)
    shared = Connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
