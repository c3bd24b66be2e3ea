"""What the network's exceptions mean, and what must not stay in them: the key, and the caller's own headers.

All by name, since the two majors of the SDK stand on two generations of httpx, and neither may be imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import openai

from openrouter_adapters.core import errors
from openrouter_adapters.core.request import Request

_TIMEOUTS = {"TimeoutException", "TimeoutError"}
_BROKEN = {"TransportError", "RequestError", "StreamError", "ClientError", "OSError"}
# Addresses that no request can go to: those of redirects, since the caller's own was looked at.
_NOWHERE = {"InvalidURL", "OverflowError", "UnicodeError"}
# What the next try would meet again.
_HOPELESS = {*_NOWHERE, "LocalProtocolError", "SSLCertVerificationError", "TooManyRedirects", "UnsupportedProtocol"}
# The request never left.
_UNCONNECTED = {*_NOWHERE, "ConnectError", "ConnectTimeout", "LocalProtocolError", "PoolTimeout", "ProxyError"}
# aiohttp's, for a connection that was there and broke: over httpx such a one comes as a ConnectTimeout.
_DISCONNECTED = {"ServerDisconnectedError", "ClientOSError"}
_LAST_PORT, _LONGEST_LABEL = 65_535, 63
_WAITED_FOR_DATA = {"ReadTimeout", "SocketTimeoutError", "TimeoutError"}


def refused(error: Exception, request: Request, specialize: errors.Specialize | None) -> Any:
    """The answer in an exception while a request was sent: a hook of the caller's client may raise for its status.

    Raises:
        OpenRouterError: there is none, but network trouble. Anything else is raised as it is.
    """
    response = getattr(error, "response", None)
    if not getattr(response, "is_success", True):
        return response
    nowhere = any(_names(one) & _NOWHERE for one in (error, *_grouped(error)))
    kind = network_trouble(error) or (errors.APIConnectionError if nowhere else None)
    made = kind and connection_error(error, kind, request, specialize)
    forget_secrets(error, request, frames=made is not None)  # of the caller's own, a traceback is wanted
    if made is None:
        raise error
    raise made from error


def connection_error(
    error: Exception, kind: type[errors.OpenRouterError], request: Request, specialize: errors.Specialize | None
) -> errors.OpenRouterError:
    """The exception for trouble before any response."""
    if kind is errors.APITimeoutError and stalls(error, request):
        kind = errors.StallTimeoutError
    why = "; a proxy on the way asks for credentials" if _is_refusal_of_a_proxy(error) else ""
    said = f"{named(error)}{why} ({request.base_url}{limit(kind, request)})"
    may_pass = not any(map(_is_hopeless, chain(error)))
    cls = specialize(kind) if specialize else kind
    made = cls(said, model=next(iter(request.asked), None), retryable=may_pass)
    if isinstance(made, errors.APIConnectionError):
        made.may_have_arrived = not any(map(_is_unconnected, chain(error))) or any(map(_is_disconnected, chain(error)))
    return made


def _is_unconnected(error: BaseException) -> bool:
    return bool(_names(error) & _UNCONNECTED)


def _is_disconnected(error: BaseException) -> bool:
    names = _names(error)
    return bool(names & _DISCONNECTED) and "ClientConnectorError" not in names


def _is_hopeless(error: BaseException) -> bool:
    url = getattr(vars(error).get("_request"), "url", None)
    refused = "CERTIFICATE_VERIFY" in str(error)[:500] or _is_refusal_of_a_proxy(error)
    return bool(_names(error) & _HOPELESS) or refused or (hasattr(url, "raw_host") and _leads_nowhere(url))


def _is_refusal_of_a_proxy(error: BaseException) -> bool:
    """Whether a proxy asks for credentials before it opens a tunnel."""
    return "ProxyError" in _names(error) and str(error).startswith("407")


def _leads_nowhere(url: Any) -> bool:
    """Whether a port or a name cannot be; not every HTTP client looks at those of a redirect before it goes there."""
    return (url.port or 0) > _LAST_PORT or any(len(label) > _LONGEST_LABEL for label in url.raw_host.split(b"."))


def network_trouble(error: BaseException) -> type[errors.OpenRouterError] | None:
    """Which class of ours an exception of the network's is; None when it is none."""
    if isinstance(error, BaseExceptionGroup):  # of several addresses tried at once
        kinds = {network_trouble(one) for one in error.exceptions}
        return None if None in kinds else errors.APIConnectionError
    names, cause = _names(error), error.__cause__
    if isinstance(error, openai.APITimeoutError) or names & _TIMEOUTS:
        # Over aiohttp a connection that was refused comes as a time-out too; its cause tells.
        refused = cause is not None and not _names(cause) & _TIMEOUTS and _names(cause) & _BROKEN
        return errors.APIConnectionError if refused else errors.APITimeoutError
    return errors.APIConnectionError if names & _BROKEN or isinstance(error, openai.APIConnectionError) else None


def stalls(error: BaseException, request: Request) -> bool:
    """Whether a read that timed out did so by ``stall_timeout``, which is then also the limit between two bytes."""
    stall, between_bytes = request.stall_timeout, request.timeout
    waited_for_data = type(error).__name__ in _WAITED_FOR_DATA
    return waited_for_data and stall is not None and (between_bytes is None or stall <= between_bytes)


def named(error: BaseException) -> str:
    """An exception in words."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def limit(kind: type[errors.OpenRouterError], request: Request) -> str:
    """Which limit a time-out ran into, where the caller set one."""
    if issubclass(kind, errors.StallTimeoutError):
        return f", stall_timeout={request.stall_timeout:g} s"
    timed_out = issubclass(kind, errors.APITimeoutError) and request.timeout is not None
    return f", timeout={request.timeout:g} s" if timed_out else ""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, what it came from, and what is in it, where it is a group; nothing of the caller's."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if one is not None and id(one) not in seen and not _is_callers(one):
            seen.add(id(one))
            yield one
            waiting += [one.__cause__ or one.__context__, *_grouped(one)]


def _is_callers(error: BaseException) -> bool:
    """Whether the caller is handling this one meanwhile: it was caught in a frame that still runs, and is none of ours.

    Then it is only the context of what happened since.
    """
    caught = error.__traceback__.tb_frame if error.__traceback__ else None
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame is not caught:
        frame = frame.f_back
    return frame is not None and not frame.f_globals.get("__name__", "").startswith(f"{__package__}.")


def _grouped(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()


def _names(error: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}


# ---- secrets


def scrub(response: Any, request: Request) -> None:
    """Take the secret headers out of the requests that a response remembers."""
    following = getattr(response, "next_request", None)
    for one in (response.request, *(past.request for past in response.history), following):
        if one is not None:
            _strip(one.headers, request)


def forget_secrets(error: BaseException, request: Request, *, frames: bool = True) -> None:
    """Take the secret headers out of everything that an exception of the SDK's or the network's holds on to.

    Args:
        error: the exception; its requests have them, and so have the frames of its traceback.
        request: what was asked.
        frames: whether to let go of the frames too: of an exception of the caller's own they are wanted.
    """
    for one in chain(error):
        held, response = vars(one).get("_request") or vars(one).get("request"), vars(one).get("response")
        if held is not None and hasattr(held, "headers"):
            _strip(held.headers, request)
        if response is not None and hasattr(response, "history"):
            scrub(response, request)
        _forget_request_info(one)
        if frames:
            one.__traceback__ = None


def _strip(headers: Any, request: Request) -> None:
    for name in ("authorization", *request.headers):
        headers.pop(name, None)


def _forget_request_info(error: Any) -> None:
    """What aiohttp's errors show of a request, headers included, in their repr and their arguments."""
    info = vars(error).get("request_info")
    if info is not None:
        error.request_info = bare = info._replace(headers={})
        error.args = tuple(bare if arg is info else arg for arg in error.args)
