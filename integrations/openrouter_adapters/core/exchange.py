"""One try of one request: what its bytes mean. Shared by sync and async, stream and not; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from pydantic_core import from_json

from openrouter_adapters.core import errors
from openrouter_adapters.core.answer import Answer, Unreadable
from openrouter_adapters.core.network import forget_secrets, limit, named, network_trouble, scrub, stalls
from openrouter_adapters.core.parsing import json_in, parse, partial_json
from openrouter_adapters.core.reply import Reply, worth_keeping
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.sse import BOM, DONE, EventSplitter, after_comments, looks_like_events
from openrouter_adapters.core.stencil import Stencil
from openrouter_adapters.core.stream import NOTHING_MORE, OF_AN_ANSWER, Delta, ReplyBuilder, broken_off, says_error
from openrouter_adapters.core.surrogates import Mender
from openrouter_adapters.core.tries import Tries
from openrouter_adapters.core.trouble import Trouble, from_wire
from openrouter_adapters.core.wire import dict_of, dicts_of, hidden, known
from openrouter_adapters.core.words import words

A = TypeVar("A", bound="Reply | Answer[Any]")
C = TypeVar("C")

# So much is read of a body that says what went wrong: JSON may have parsed files in it, a page nothing of use.
_REFUSAL_BYTES, _REFUSAL_JSON_BYTES = 65_536, 8_388_608


class Exchange:
    """What one open response says.

    Attributes:
        tries: the call's tries, of which this is one.
        builder: the answer so far.
        done: whether ``[DONE]`` came.
        refused: whether the status says that it is no answer.
        alive: called for every piece of data (keep-alives are none).
        stalled: set when the stall alarm broke the connection.
    """

    def __init__(self, tries: Tries, response: Any, specialize: errors.Specialize | None) -> None:
        self.request: Request = tries.request
        self.tries = tries
        self.response = response
        self.builder: ReplyBuilder = ReplyBuilder()
        self.done: bool = False
        self.refused: bool = not response.is_success
        self.stalled = False
        self.alive: Callable[[], None] | None = None
        self._specialize = specialize
        self._splitter = EventSplitter()
        self._mender = Mender()
        self._stencil = Stencil()
        self._size = 0
        self._has_data = False
        self._head: list[bytes] = []  # what came before it was clear whether these are events, or a body, which it is
        self._is_events: bool | None = False if self.refused else None
        kind = response.headers.get("content-type", "").lower()
        self._says_events = not kind or "event-stream" in kind
        scrub(response, self.request)
        if tries.account:
            tries.account.opened(response.headers.get("x-generation-id"))

    # ---- a whole answer

    def collect(self, block: bytes) -> bool:
        """Take a block of a body; False when no more is of use."""
        self._head.append(block)
        self._size += len(block)
        if self.alive is not None and not self._keeps_alive(block):
            self.alive()
        if not self.refused or self._size < _REFUSAL_BYTES:
            return True
        return self._size < _REFUSAL_JSON_BYTES and self._begun()[:1] in (b"{", b"[", b":", b"d", b"e")

    def _begun(self) -> bytes:
        """The first block with something in it."""
        first = next((block for block in self._head if not block.isspace()), b"")
        return first.lstrip().removeprefix(BOM)

    def _keeps_alive(self, block: bytes) -> bool:
        """Whether a block has no data: white space; comments, too, before any data and among events."""
        if self._has_data and not looks_like_events(self._begun()):
            return block.isspace()
        lines = (line.lstrip() for line in (block if self._has_data else self.collected()).split(b"\n"))
        says_something = any(line and not line.startswith(b":") for line in lines)
        self._has_data = self._has_data or says_something
        return not says_something

    def collected(self) -> bytes:
        """The body so far."""
        return b"".join(self._head)

    def whole(self, data: bytes) -> Reply:
        """The answer in a JSON body. White space before it is a keep-alive.

        Raises:
            OpenRouterError: the body is an error, a broken-off answer, or no answer.
        """
        if not self.refused and looks_like_events(data := after_comments(data)):
            return self._whole_stream(data)
        body = self.body(data)
        choices = dicts_of(body.get("choices"))
        if not choices:
            said = words(body)
            raise self._malformed(f"the answer has no choices{f': {said}' if said else ''}", Reply.from_body(body))
        reply, broken = Reply.from_body(body), _error_in(choices)
        if broken or reply.finish_reason == "error":
            raise self._error(broken or broken_off(reply.native_finish_reason), body)
        if not any(choices[0].get(key) is not None for key in OF_AN_ANSWER):
            raise self._malformed("the answer's choice is empty", reply)
        return self._told(reply)

    def _whole_stream(self, data: bytes) -> Reply:
        """An answer that streams though nobody asked for that."""
        self._is_events = True
        for event in self.events(data.lstrip().removeprefix(BOM)):
            self.take(event)
        for _ in self.end():
            pass
        return self.reply()

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
            OpenRouterError: it is an error, whatever the status, or no JSON object.
        """
        if self.refused:
            raise self._refusal(data)
        body = self._object(data)
        if body.get("error") or says_error(body):
            raise self._error(body.get("error") or body, body)
        return body

    def _object(self, data: bytes) -> dict[str, Any]:
        if not data.strip():
            raise self._malformed("the body is empty")
        body = json_in(data)
        if body is None:
            raise self._malformed(f"the body is no JSON, or not all of it: {self._shown(data)}")
        listed = dicts_of(body)[:1]
        if listed and listed[0].get("error"):  # an error of Google's own comes in a list
            return listed[0]
        if not isinstance(body, dict):
            raise self._malformed(f"the body is no JSON object: {self._shown(data)}")
        return body

    def _told(self, answer: A) -> A:
        """The answer, with the tries that failed before this one, and the id that a header gave."""
        told = known(
            id=None if answer.id else self.response.headers.get("x-generation-id"),
            failed_tries=self.tries.facts() if self.tries.failed else None,
        )
        return replace(answer, **told) if told else answer

    # ---- a stream

    def reply(self) -> Reply:
        """The answer so far."""
        return self._told(self.builder.reply())

    @property
    def failed(self) -> bool:
        """Whether an error came in the stream."""
        return self.builder.error is not None

    def events(self, block: bytes) -> list[bytes]:
        """The data of the events that end in a block of bytes."""
        if not self._is_events:
            block = self._sorted_out(block)
        events = self._splitter.feed(block) if block else []
        if events and self.alive is not None:
            self.alive()
        return events

    def take(self, data: bytes) -> Delta | None:
        """What one event adds to the answer; nothing, once an error came, which `end` raises.

        Raises:
            OpenRouterError: a chunk is no JSON.
        """
        builder = self.builder
        if text := self._stencil.read(data):
            return builder.more_text(text)
        if data == DONE or builder.error is not None or self.done:
            self._note_usage(data)
            return None
        try:
            chunk = from_json(data)
        except ValueError:
            chunk = self._mended(data)
        if chunk.__class__ is not dict:
            raise self._malformed(f"a chunk is no JSON object: {self._shown(data)}", builder.reply())
        delta = builder.feed(chunk)
        if builder.error is not None:
            self._stencil = Stencil()  # what looks like more of the answer is none
        elif builder.steady and delta and delta.text and delta[1:] == NOTHING_MORE:
            self._stencil.cut(data, delta.text, builder.texts)
        return delta

    def _mended(self, data: bytes) -> Any:
        try:
            return parse(data, self._mender.mend)
        except ValueError:
            raise self._malformed(f"a chunk is no JSON: {self._shown(data)}", self.builder.reply()) from None

    def _sorted_out(self, block: bytes) -> bytes:
        """The events so far, once it is clear that these are events.

        A request for a stream may be answered by one JSON body, and neither may say so in its content type.
        """
        self.done = not self.collect(block)
        if self._is_events is None:
            self._is_events = looks_like_events(self.collected(), otherwise=self._says_events)
        if not self._is_events:
            return b""
        begun = self.collected().lstrip().removeprefix(BOM)
        self._head.clear()
        return begun

    def afterwards(self, block: bytes) -> int:
        """Take what follows the answer, or an error: it may say what was charged.

        Returns:
            How many bytes that were.
        """
        if self.failed and not self.done:
            for data in self._splitter.feed(block):
                self._note_usage(data)
        return len(block)

    def _note_usage(self, data: bytes) -> None:
        """Take usage, and a better word for the error, from an event of which nothing else is of use any more."""
        if self.done or data == DONE:
            self.done, self._stencil = True, Stencil()
            return
        with suppress(ValueError):
            self.builder.feed_afterwards(dict_of(parse(data)))

    def end(self) -> Iterator[Delta]:
        """The stream is over: what an unterminated last event adds.

        Raises:
            OpenRouterError: it was an error, or ended too early.
        """
        if self._is_events is False or (self._is_events is None and not self._says_events):
            yield from self.one_body(self.collected())
            return
        if not (self.done or self.failed):
            rest = (data for data in self._splitter.rest() if data == DONE or json_in(data) is not None)
            yield from filter(None, map(self.take, rest))
        if self.failed:
            raise self._error(self.builder.error, self.builder.body(), begun=self.builder.started)
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

    # ---- the account

    def answered(self, answer: A) -> A:
        """The answer, told to those who count what it cost."""
        if self.tries.account:
            self.tries.account.answered(answer)
        return answer

    def ended(self) -> None:
        """A stream ended as it should: as `answered`."""
        if self.tries.account:
            self.tries.account.answered(self.builder.reply())

    def left(self) -> None:
        """Nobody reads on, wherever the answer is; of one that has ended this tells nothing."""
        account = self.tries.account
        if account and account.is_open:
            account.left(self.builder.reply() if self.builder.chunks_seen else None)

    # ---- trouble

    def fail(self, error: Exception) -> NoReturn:
        """Raise what an exception while reading means.

        Raises:
            OpenRouterError: for network trouble; any other exception is raised as it is.
        """
        made = self._meaning(error)
        if isinstance(made, errors.OpenRouterError):
            self.tries.tell(made)
        if made is error:
            raise error
        forget_secrets(error, self.request)
        raise made from error

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, errors.OpenRouterError):
            return error
        kind = network_trouble(error)
        if self.refused and (kind or self.stalled):
            return self._refusal(self.collected())  # the status says enough
        if self.stalled or (kind is errors.APITimeoutError and stalls(error, self.request)):
            return self.stall()
        if kind is None:
            return error
        partial = self.builder.reply() if self.builder.chunks_seen else None
        if kind is errors.APIConnectionError and partial is not None:
            return self._incomplete(f"the connection broke: {named(error)}")
        return self._make(kind, f"{named(error)}{limit(kind, self.request)}", partial=partial)

    def stall(self) -> errors.OpenRouterError:
        """No data came for too long."""
        said = f"no data for {self.request.stall_timeout:g} s (stall_timeout), though the connection was open"
        partial = self.builder.reply() if self.builder.chunks_seen else None
        return self._make(errors.StallTimeoutError, said, partial=partial)

    def _refusal(self, data: bytes) -> errors.OpenRouterError:
        """What an error status means; its body may be anything, or be cut off."""
        said = json_in(data)
        if said is None:
            said = partial_json(data)
        if said is None:
            said = data.decode("utf-8", "replace").strip()  # a page of a proxy, perhaps
        inner = said.get("error") or said if isinstance(said, dict) else said
        return self._error(inner, dict_of(said))

    def _error(self, error: Any, body: dict[str, Any], *, begun: bool = False) -> errors.OpenRouterError:
        """The exception for an error and the body that it stands in, without secrets that the server repeats."""
        trouble = Trouble(
            error=hidden(error, *self.request.secrets),
            status=self.response.status_code,
            headers=self.response.headers,
            response=self.response,
            request=self.request,
            partial=Reply.from_body(hidden(body, *self.request.secrets)),
        )
        return from_wire(trouble, self._specialize, begun=begun)

    def _malformed(self, said: str, partial: Reply | None = None) -> errors.OpenRouterError:
        return self._make(errors.MalformedResponseError, said, partial=partial)

    def _incomplete(self, said: str) -> errors.OpenRouterError:
        return self._make(errors.IncompleteStreamError, said, partial=self.builder.reply())

    def _make(self, cls: type[errors.OpenRouterError], said: str, partial: Reply | None) -> errors.OpenRouterError:
        return (self._specialize or _same)(cls)(
            hidden(said, *self.request.secrets),
            provider=partial.provider if partial else None,
            model=(partial.model if partial else None) or next(iter(self.request.asked), None),
            generation_id=(partial.id if partial else None) or self.response.headers.get("x-generation-id"),
            partial=worth_keeping(partial),
            response=self.response,
        )

    def _shown(self, data: bytes) -> str:
        """What is shown of bytes that are no answer; secrets go before it is cut short, perhaps within one."""
        text = hidden(data[:_REFUSAL_BYTES].decode("utf-8", "replace").strip(), *self.request.secrets)
        said = words(text) or ""
        return said if said != text else repr(text[:200])


def _error_in(choices: list[dict[str, Any]]) -> Any:
    """The error that one of the choices has, in whichever place."""
    places = [place for choice in choices for place in (choice, dict_of(choice.get("message")))]
    return next((place["error"] for place in places if place.get("error")), None)


def _same(cls: type[errors.OpenRouterError]) -> type[errors.OpenRouterError]:
    return cls
