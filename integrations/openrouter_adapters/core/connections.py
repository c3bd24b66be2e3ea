"""The HTTP clients of the `openai` package: made on first use, one for sync, one per event loop, shared by all models.

The package gives the clients, with its pool limits, time limits, keep-alive and the transport over aiohttp; the request
is built here. Its ``post`` would build and copy each request anew and add headers about itself, to be taken off again:
a quarter of the time of a call. So its ``OPENAI_*`` environment has no influence either. This module imports openai:
import it late.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import json
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from datetime import date
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import openai
from pydantic import BaseModel

from openrouter_adapters.core.leaving import sweep
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.sendable import check_sendable

_HEADERS = {"Accept": "application/json", "User-Agent": "openrouter-adapters"}
_HEADERS_OF_A_BODY = {**_HEADERS, "Content-Type": "application/json"}
_NO_AIOHTTP = "http_async_client='aiohttp' needs aiohttp: pip install 'openrouter-adapters[aiohttp]'"


class Sealed:
    """The headers of one request that nobody is to see: the ``Authorization``, and all that are the caller's."""

    __slots__ = ("headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers: Mapping[str, str] = headers


sending: ContextVar[Sealed] = ContextVar("sending")
"""What the request that is being sent needs to have put on.

It is put on at the last moment, so that no frame that builds a request holds it when something goes wrong.
"""


def built(http: Any, request: Request, *, stream: bool) -> Any:
    """The HTTP request for a request, ready to be sent by ``http``.

    Args:
        http: an HTTP client of either generation of httpx.
        request: what is asked.
        stream: whether the answer is to be streamed.

    Raises:
        ValueError, TypeError: something in the body has no form in JSON.
    """
    given: dict[str, Any] = {"headers": _HEADERS}
    if request.method == "post":
        body = {**request.body, "stream": True} if stream else request.body
        given = {"headers": _HEADERS_OF_A_BODY, "content": _written(body)}
    if limits := _limits(http, request):
        given["timeout"] = limits
    address = _address(http.base_url.__class__, request.base_url + request.path)
    made = http.build_request(request.method, address, **given)
    headers = sending.get().headers
    if "Authorization" not in headers:
        made.headers.pop("Authorization", None)  # of the client's own; the request says who asks
    made.headers.update(headers)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True, mode="json", by_alias=True)
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode


def _written(body: dict[str, Any]) -> bytes:
    try:
        return _encode(body).encode()
    except (ValueError, TypeError, RecursionError):
        check_sendable("", body)  # says which part of it is to blame
        raise


@lru_cache(maxsize=64)
def _address(made: Callable[[str], Any], url: str) -> Any:
    """An address, parsed once: that takes as long as everything else of a request's head."""
    return made(url)


_UNSAID = 5.0
"""Seconds: httpx's own limit for everything, far too short for a model's answer."""


def _limits(http: Any, request: Request) -> tuple[float | None, ...] | None:
    """Seconds to connect, between two bytes that come and that go, and to wait for a connection; None: the client's."""
    own = http.timeout.as_dict()
    if request.timeout is not None:
        own = dict.fromkeys(own, request.timeout)
    elif all(limit == _UNSAID for limit in own.values()):
        own = openai.DEFAULT_TIMEOUT.as_dict()
    elif request.stall_timeout is None:
        return None
    stall = request.stall_timeout
    read = own["read"] if stall is None else min(stall, own["read"] or stall)
    return own["connect"], read, own["write"], own["pool"]


def _leave_behind(request: Any) -> None:
    """Take the caller's own headers off where a redirect leads to another host, and httpx has taken the key off."""
    headers = sending.get().headers
    if "Authorization" not in request.headers and any(name.lower() == "authorization" for name in headers):
        for name in headers:
            request.headers.pop(name, None)


async def _aleave_behind(request: Any) -> None:
    _leave_behind(request)


class Connections:
    """The shared clients of this process.

    Users are counted, so that closing one model does not break another's streams: the last one out closes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        self._tls: Any = None
        self._sync: Any = None
        self._async: dict[tuple[asyncio.AbstractEventLoop, str], tuple[Any, AsyncGenerator[None]]] = {}

    def sync(self, user: object) -> Any:
        """The client for sync requests."""
        with self._lock:
            self._users.add(user)
            self._forget_closed_loops()
            if self._sync is None:
                self._sync = openai.DefaultHttpxClient(**self._settings(_leave_behind))
            return self._sync

    async def for_loop(self, user: object, kind: str = "httpx") -> Any:
        """The client for async requests in the running event loop.

        Args:
            user: who asks; it counts as a user from now on.
            kind: "httpx" or "aiohttp".

        Raises:
            ImportError: "aiohttp" without the extra of that name installed.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            self._users.add(user)
            self._forget_closed_loops()
            found = self._async.get((loop, kind))
            if found is not None:
                return found[0]
            factory = openai.DefaultAioHttpClient if kind == "aiohttp" else openai.DefaultAsyncHttpxClient
            try:
                http = factory(**self._settings(_aleave_behind))
            except RuntimeError as error:  # the openai package names an extra of its own
                raise ImportError(_NO_AIOHTTP) from error
            closer = self._closing(loop, kind, http)
            self._async[loop, kind] = (http, closer)
        # A loop that shuts down ends its async generators: this one then closes the client, inside the loop.
        await anext(closer)
        return http

    async def _closing(self, loop: asyncio.AbstractEventLoop, kind: str, http: Any) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._async.pop((loop, kind), None)
            await http.aclose()

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
            http, self._sync = (None, self._sync) if self._users else (self._sync, None)
        if http is not None:
            http.close()

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
        http, self._sync = self._sync, None
        if http is not None:
            http.close()


shared: Connections = Connections()
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
