"""One try of one request: what its bytes mean. Shared by sync and async, stream and not; no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import openai
from pydantic_core import from_json

from openrouter_adapters.core import errors
from openrouter_adapters.core.answer import Answer, Unreadable
from openrouter_adapters.core.arguments import check_sendable, without_user
from openrouter_adapters.core.reply import Reply, worth_keeping
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.stream import DONE, Delta, EventSplitter, ReplyBuilder, broken_off
from openrouter_adapters.core.surrogates import Mender, mended
from openrouter_adapters.core.tries import Tries
from openrouter_adapters.core.trouble import Trouble, from_wire
from openrouter_adapters.core.wire import dict_of, dicts_of

A = TypeVar("A", Reply, Answer[Any])
C = TypeVar("C")

# The names that both generations of httpx, and what runs below them, give to network trouble.
_TIMEOUTS = {"TimeoutException", "TimeoutError"}
_BROKEN = {"TransportError", "RequestError", "StreamError", "ClientError", "OSError"}


def parse(data: bytes, mend: Callable[[Any], Any] = mended) -> Any:
    """A JSON value.

    Args:
        data: the JSON text.
        mend: what joins or replaces halves of characters, where there are any.

    Raises:
        ValueError: it is none, or nested deeper than anything that OpenRouter sends.
    """
    try:
        return from_json(data)
    except ValueError as error:
        if b"\\u" not in data or "recursion" in str(error):
            raise
    try:
        return mend(json.loads(data))  # the standard library reads lone halves, which half an emoji leaves
    except RecursionError:
        raise ValueError("nested too deep") from None


class Exchange:
    """What one open response says.

    Attributes:
        tries: the call's tries, of which this is one.
        builder: the answer so far.
        done: whether ``[DONE]`` came.
        alive: called for every piece of data (keep-alives are none).
        stalled: set when the stall alarm broke the connection.
    """

    def __init__(self, tries: Tries, response: Any, specialize: errors.Specialize | None) -> None:
        self.request = tries.request
        self.tries = tries
        self.response = response
        self.builder = ReplyBuilder()
        self.done = False
        self.stalled = False
        self.alive: Callable[[], None] | None = None
        self._specialize = specialize
        self._splitter = EventSplitter()
        self._mender = Mender()
        scrub(response)

    # ---- a whole answer

    def whole(self, data: bytes) -> Reply:
        """The answer in a JSON body. White space before it is a keep-alive.

        Raises:
            OpenRouterError: the body is an error, a broken-off answer, or no answer.
        """
        body = self.body(data)
        choices = dicts_of(body.get("choices"))
        if not choices:
            raise self._malformed("the answer has no choices", Reply.from_body(body))
        reply, broken = Reply.from_body(body), choices[0].get("error")
        if broken or reply.finish_reason == "error":
            raise self._error(broken or broken_off(reply.native_finish_reason), reply)
        return self._told(reply)

    def answer(self, data: bytes, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """The answer of another endpoint than chat.

        Raises:
            OpenRouterError: as `body`, or ``read`` cannot make sense of it.
        """
        body = self.body(data)
        try:
            content = read(body)
        except Unreadable as error:
            raise self._malformed(str(error), Reply.from_body(body)) from None
        return self._told(Answer.from_body(body, content, self.response.headers.get("x-generation-id")))

    def body(self, data: bytes) -> dict[str, Any]:
        """The JSON object that came, which may be of any endpoint.

        Raises:
            OpenRouterError: it is an error under HTTP 200, or no JSON object.
        """
        body = self._object(data)
        if body.get("error"):
            raise self._error(body["error"], Reply.from_body(body))
        return body

    def _object(self, data: bytes) -> dict[str, Any]:
        if not data.strip():
            raise self._malformed("the body is empty")
        try:
            body = parse(data)
        except ValueError:
            raise self._malformed(f"the body is no JSON: {_shown(data)}") from None
        if not isinstance(body, dict):
            raise self._malformed(f"the body is no JSON object: {_shown(data)}")
        return body

    def _told(self, answer: A) -> A:
        """The answer, with the tries that failed before this one."""
        return replace(answer, failed_tries=self.tries.facts()) if self.tries.failed else answer

    # ---- a stream

    def reply(self) -> Reply:
        """The answer so far."""
        return self._told(self.builder.reply())

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream: a request for one may be answered by one JSON body."""
        kind = self.response.headers.get("content-type", "")
        return not kind or "event-stream" in kind

    def fold(self, block: bytes) -> Iterator[Delta]:
        """What a block of bytes adds to the answer.

        Raises:
            OpenRouterError: an error chunk, or a chunk that is no JSON; what came before it was handed over.
        """
        builder = self.builder
        events = self._splitter.feed(block)
        if events and self.alive is not None:
            self.alive()
        for data in events:
            if data == DONE:
                self.done = True
                return
            delta = self._feed(data)
            if delta is not None:
                yield delta
            if builder.error is not None:
                raise self._error(builder.error, builder.reply(), begun=builder.started)

    def _feed(self, data: bytes) -> Delta | None:
        try:
            chunk = parse(data, self._mender.mend)
        except ValueError:
            raise self._malformed(f"a chunk is no JSON: {_shown(data)}", self.builder.reply()) from None
        if not isinstance(chunk, dict):
            raise self._malformed(f"a chunk is no JSON object: {_shown(data)}", self.builder.reply())
        return self.builder.feed(chunk)

    def end(self) -> Iterator[Delta]:
        """The stream is over: what an unterminated last event adds.

        Raises:
            OpenRouterError: it ended too early.
        """
        if not self.done:
            rest = [data for data in self._splitter.rest() if data == DONE or _is_json(data)]
            yield from self.fold(b"".join(b"data: " + data + b"\n\n" for data in rest))
        if self.stalled:
            raise self.stall()
        if not self.builder.chunks_seen or not (self.done or self.builder.finish_reason):
            raise self._incomplete("the stream ended before the answer was complete")
        if not self.builder.answered:
            raise self._malformed("the answer has no choices", self.builder.reply())

    def one_body(self, data: bytes) -> Iterator[Delta]:
        """A JSON body that answers a request for a stream: an error, or the whole answer in one piece.

        Raises:
            OpenRouterError: as `whole`.
        """
        delta = self.builder.feed(self.whole(data).body)
        self.done = True
        if delta is not None:
            yield delta

    # ---- trouble

    def fail(self, error: Exception) -> NoReturn:
        """Raise what an exception while reading means.

        Raises:
            OpenRouterError: for network trouble; any other exception is raised as it is.
        """
        made = self._meaning(error)
        if isinstance(made, errors.OpenRouterError):
            made.failed_tries = tuple(self.tries.failed)
        if made is error:
            raise error
        forget_key(error)
        raise made from error

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, errors.OpenRouterError):
            return error
        kind = network_trouble(error)
        if self.stalled or (kind is errors.APITimeoutError and stalls(error, self.request)):
            return self.stall()
        if kind is None:
            return error
        partial = self.builder.reply() if self.builder.chunks_seen else None
        if kind is errors.APIConnectionError and partial is not None:
            return self._incomplete(f"the connection broke: {_named(error)}")
        return self._make(kind, f"{_named(error)}{_limit(kind, self.request)}", partial=partial)

    def stall(self) -> errors.OpenRouterError:
        """No data came for too long."""
        said = f"no data for {self.request.stall_timeout:g} s (stall_timeout), though the connection was open"
        partial = self.builder.reply() if self.builder.chunks_seen else None
        return self._make(errors.StallTimeoutError, said, partial=partial)

    def _error(self, error: Any, partial: Reply | None = None, *, begun: bool = False) -> errors.OpenRouterError:
        trouble = Trouble(
            error=error,
            headers=self.response.headers,
            response=self.response,
            model=next(iter(self.request.asked), None),
            partial=partial,
        )
        return from_wire(trouble, self._specialize, begun=begun)

    def _malformed(self, said: str, partial: Reply | None = None) -> errors.OpenRouterError:
        return self._make(errors.MalformedResponseError, said, partial=partial)

    def _incomplete(self, said: str) -> errors.OpenRouterError:
        return self._make(errors.IncompleteStreamError, said, partial=self.builder.reply())

    def _make(self, cls: type[errors.OpenRouterError], said: str, partial: Reply | None) -> errors.OpenRouterError:
        return (self._specialize or _same)(cls)(
            said,
            provider=partial.provider if partial else None,
            model=(partial.model if partial else None) or next(iter(self.request.asked), None),
            generation_id=(partial.id if partial else None) or self.response.headers.get("x-generation-id"),
            partial=worth_keeping(partial),
            response=self.response,
        )


def fail_to_open(error: Exception, request: Request, specialize: errors.Specialize | None) -> NoReturn:
    """Raise what an exception while a request was sent means.

    Raises:
        OpenRouterError: for an error status and for network trouble.
        ValueError, TypeError: something in the request cannot be written as JSON. Anything else is raised as it is.
    """
    made: Exception
    if isinstance(error, openai.APIStatusError):
        made = status_error(error, request, specialize)
    else:
        made = connection_error(error, request, specialize)
    if made is error:  # none of the network's: its traceback is wanted, unless the request itself is to blame
        check_sendable("", request.body)
        raise error
    forget_key(error)
    raise made from error


def status_error(
    error: openai.APIStatusError, request: Request, specialize: errors.Specialize | None
) -> errors.OpenRouterError:
    """The exception for an HTTP error status."""
    try:
        body = parse(error.response.content)
    except ValueError:
        body = error.response.text.strip()[:500]  # a page of a proxy, perhaps
    inner = body.get("error", body) if isinstance(body, dict) else body
    trouble = Trouble(
        error=inner,
        status=error.status_code,
        headers=error.response.headers,
        response=error.response,
        model=next(iter(request.asked), None),
    )
    made = from_wire(trouble, specialize)
    made.openrouter_metadata = dict_of(dict_of(body).get("openrouter_metadata")) or None
    return made


def connection_error(error: Exception, request: Request, specialize: errors.Specialize | None) -> Exception:
    """The exception for trouble before any response; the error itself when it is none of the network's."""
    kind = network_trouble(error)
    if kind is None:
        return error
    cause = error.__cause__ or error
    if kind is errors.APITimeoutError and stalls(cause, request):
        kind = errors.StallTimeoutError
    said = f"{_named(cause)} ({without_user(request.base_url)}{_limit(kind, request)})"
    return (specialize or _same)(kind)(said, model=next(iter(request.asked), None))


def network_trouble(error: BaseException) -> type[errors.OpenRouterError] | None:
    """Which class of ours an exception of the network's is; None when it is none.

    By name, since the two SDK majors stand on two generations of httpx and neither may be imported here.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, openai.APITimeoutError) or names & _TIMEOUTS:
        return errors.APITimeoutError
    if isinstance(error, openai.APIConnectionError) or names & _BROKEN:
        return errors.APIConnectionError
    return None


def stalls(error: BaseException, request: Request) -> bool:
    """Whether a read that timed out did so by ``stall_timeout``, which is then also the limit between two bytes."""
    waited_for_data = type(error).__name__ in ("ReadTimeout", "TimeoutError")
    stall, between_bytes = request.stall_timeout, request.timeout
    return waited_for_data and stall is not None and (between_bytes is None or stall <= between_bytes)


def scrub(response: Any) -> None:
    """Take the key out of the requests that a response remembers."""
    for one in (response, *response.history):
        one.request.headers.pop("authorization", None)


def forget_key(error: BaseException | None) -> None:
    """Take the key out of everything that an exception of the SDK's or the network's holds on to.

    Their requests have it as a header, and the frames of their tracebacks have those headers.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        request, response = vars(error).get("_request") or vars(error).get("request"), vars(error).get("response")
        if request is not None and hasattr(request, "headers"):
            request.headers.pop("authorization", None)
        if response is not None and hasattr(response, "history"):
            scrub(response)
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _limit(kind: type[errors.OpenRouterError], request: Request) -> str:
    """Which limit a time-out ran into, where the caller set one."""
    timed_out = issubclass(kind, errors.APITimeoutError) and request.timeout is not None
    return f", timeout={request.timeout:g} s" if timed_out else ""


def _same(cls: type[errors.OpenRouterError]) -> type[errors.OpenRouterError]:
    return cls


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _shown(data: bytes) -> str:
    return repr(data[:200].decode("utf-8", "replace").strip())


def _is_json(data: bytes) -> bool:
    try:
        parse(data)
    except ValueError:
        return False
    return True
