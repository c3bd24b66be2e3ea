"""Trouble on demand, by name. Each fault is a pure function from the answer that would be sent to the one that is."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from .refusals import REFUSALS
from .reply import Body
from .shapes import DETAILS, FaultDetails, misfit
from .wire import BLANK_LINES, COMMENT, DONE, Cut, Pause, Step, Wire, json_wire, problem_wire

__all__ = ["FAULTS", "Fault", "find"]

Details: TypeAlias = Mapping[str, Any]
Apply: TypeAlias = Callable[[Wire, Details], Wire]

_PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"


@dataclass(frozen=True)
class Fault:
    """A named fault with its details, ready to be applied."""

    name: str
    apply: Apply
    details: Details = field(default_factory=dict)

    @property
    def hides_the_answer(self) -> bool:
        """Whether nothing of the answer gets through; a scripted reply is then kept for the next request."""
        return self.name in _HIDING or self.details.get("after") == 0

    @property
    def unstreams(self) -> bool:
        """Whether who asks for a stream is given a whole answer."""
        return self.name == "json_for_stream"

    def is_free(self, *, streams: bool) -> bool:
        """Whether nothing is charged, because nothing was answered."""
        in_stream = self.name.startswith("error_chunk")
        return self.name in _FREE or (in_stream and (self.details.get("after") == 0 or not streams))

    def to(self, wire: Wire) -> Wire:
        """The answer with the fault in it; of one that is still to be made it will be seen in the whole."""
        return replace(wire, then=self._apply) if wire.live else self._apply(wire)

    def _apply(self, wire: Wire) -> Wire:
        return self.apply(wire, self.details)


def named(header: str) -> Fault:
    """The fault that a header asks for: its name, then its details, as in ``error_chunk; after=2; code=502``.

    Raises:
        ValueError, TypeError: as `find`; or a detail has no value.
    """
    name, *pieces = (piece.strip() for piece in header.split(";"))
    details = {}
    for piece in filter(None, pieces):
        key, equals, value = piece.partition("=")
        if not equals:
            raise ValueError(f"the detail {piece!r} has no value: write name; {piece}=1")
        details[key.strip()] = _value(value.strip())
    return find(name, **details)


def _value(text: str) -> Any:
    """A number or an object as JSON; any other text is meant as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def find(name: str, **details: Any) -> Fault:
    """The fault of that name.

    Raises:
        ValueError: there is none; the message names the nearest.
        TypeError: no fault has such a detail, or not such a value for it.
    """
    known = FaultDetails.__optional_keys__
    if unknown := details.keys() - known:
        raise TypeError(f"no fault has the detail {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if wrong := misfit(DETAILS, details):
        raise TypeError(wrong)
    if name not in _FAULTS:
        near = difflib.get_close_matches(name, _FAULTS, 3)
        raise ValueError(f"no fault is called {name!r}; the nearest are {near or sorted(_FAULTS)}")
    return Fault(name, _FAULTS[name], details)


def _refuses(name: str) -> Apply:
    def apply(_: Wire, details: Details) -> Wire:
        return problem_wire(REFUSALS[name].problem(details))

    apply.__doc__ = f"{REFUSALS[name].standard.status}: {REFUSALS[name].doc}"
    return apply


def _error(details: Details) -> Body:
    error: Body = {"code": details.get("code", 502), "message": details.get("message", "Upstream error")}
    return {**error, "metadata": details["metadata"]} if "metadata" in details else error


def _edited(wire: Wire, edit: Callable[[Body], Body]) -> Wire:
    """Change an unstreamed body, or every chunk of a stream."""
    return replace(wire, steps=tuple(edit(step) if isinstance(step, dict) else step for step in wire.steps))


def _edited_end(wire: Wire, **choice: Any) -> Wire:
    """Change the choice of an unstreamed body, or of those chunks that have a finish reason."""
    return _edited(wire, lambda body: _with_choice(body, **choice) if _has_finish_reason(body) else body)


def _with_choice(body: Body, **more: Any) -> Body:
    return {**body, "choices": [{**choice, **more} for choice in body["choices"]]}


def _has_finish_reason(body: Body) -> bool:
    return any(choice.get("finish_reason") for choice in body.get("choices") or ())


def _is_end(step: Step) -> bool:
    """Whether a step belongs to the end of a stream: the finish chunk, the usage chunk."""
    return isinstance(step, dict) and (_has_finish_reason(step) or "usage" in step)


# Answers under HTTP 200 that are none.


def error_200(_: Wire, details: Details) -> Wire:
    """200, the body only an error, for a stream request too (details: code, message, metadata)."""
    return json_wire({"error": _error(details), "user_id": "user_local"})


def null_choices(wire: Wire, _: Details) -> Wire:
    """200, `choices` is null, with no error."""
    return _edited(wire, lambda body: {**body, "choices": None})


def empty_choices(wire: Wire, _: Details) -> Wire:
    """200, `choices` is empty, with no error."""
    return _edited(wire, lambda body: {**body, "choices": []})


def choice_error(wire: Wire, details: Details) -> Wire:
    """200, text so far, an `error` in the choice, finish_reason "error" (details: code, message, metadata)."""
    return _edited_end(wire, finish_reason="error", native_finish_reason="error", error=_error(details))


def finish_error(wire: Wire, details: Details) -> Wire:
    """200, no text, finish_reason "error" and no error object (details: native_finish_reason)."""
    reasons = {
        "finish_reason": "error",
        "native_finish_reason": details.get("native_finish_reason", "MALFORMED_FUNCTION_CALL"),
    }
    if wire.streams:
        steps = tuple(step for step in wire.steps if not isinstance(step, dict) or _is_end(step))
        return _edited_end(replace(wire, steps=steps), **reasons)
    message = {"role": "assistant", "content": None, "refusal": None, "reasoning": None}
    return _edited_end(wire, **reasons, message=message)


def html(_: Wire, details: Details) -> Wire:
    """An HTML page (details: status, 200 when not given)."""
    return Wire(details.get("status", 200), {"content-type": "text/html; charset=UTF-8"}, (_PAGE,))


def empty_body(wire: Wire, details: Details) -> Wire:
    """Nothing at all after the headers (details: status)."""
    return replace(wire, status=details.get("status", wire.status), steps=())


def empty_answer(wire: Wire, _: Details) -> Wire:
    """200, an answer in good order, but with nothing in it, as a cold start may give."""
    if wire.streams:
        steps = tuple(step for step in wire.steps if not isinstance(step, dict) or _is_end(step))
        return replace(wire, steps=steps)
    return _edited_end(wire, message={"role": "assistant", "content": "", "refusal": None, "reasoning": None})


def json_for_stream(wire: Wire, _: Details) -> Wire:
    """200, a whole unstreamed answer to a stream request."""
    return wire  # it was made so: `Fault.unstreams`


# Vectors and ranks that do not match what was asked; answers of chat stay as they are.


def _edited_list(wire: Wire, edit: Callable[[list[Any]], list[Any]]) -> Wire:
    """Change the vectors or the ranks of an answer."""
    return _edited(wire, lambda body: {**body, **{key: edit(body[key]) for key in ("data", "results") if key in body}})


def shuffled(wire: Wire, _: Details) -> Wire:
    """Vectors or ranks in another order; their `index` is right."""
    return _edited_list(wire, lambda items: items[::-1])


def missing_item(wire: Wire, _: Details) -> Wire:
    """One vector or rank fewer than asked for."""
    return _edited_list(wire, lambda items: items[:-1])


def empty_vector(wire: Wire, _: Details) -> Wire:
    """The first vector has no numbers."""
    return _edited_list(wire, lambda items: [{**items[0], "embedding": []}, *items[1:]])


# Errors inside a stream. To a request that does not stream they come as an error body under HTTP 200.


def _error_chunk(wire: Wire, details: Details, error: Body, **more: Any) -> Wire:
    if not wire.streams:
        return json_wire({"error": error, "user_id": "user_local"})
    chunk = {**_head(wire), "error": error, **more}
    return _broken(wire, details, chunk, DONE)


def _head(wire: Wire) -> Body:
    """The keys that all chunks of a stream begin with."""
    chunk = next((step for step in wire.steps if isinstance(step, dict)), {})
    return {key: chunk[key] for key in ("id", "object", "created", "model", "provider") if key in chunk}


def _choice(finish_reason: str | None) -> list[Body]:
    return [{"index": 0, "delta": {"role": "assistant", "content": ""}, **_reasons(finish_reason)}]


def _reasons(finish_reason: str | None) -> Body:
    return {"finish_reason": finish_reason, "native_finish_reason": finish_reason}


def error_chunk(wire: Wire, details: Details) -> Wire:
    """An error chunk as documented: `error` beside a choice with finish_reason "error" (details: after, code, ...)."""
    error = {**_error(details), "metadata": details.get("metadata", {"error_type": "provider_unavailable"})}
    return _error_chunk(wire, details, error, choices=_choice("error"))


def error_chunk_bare(wire: Wire, details: Details) -> Wire:
    """An error chunk with nothing but the error, and a string for its code (details: after, code, message)."""
    chunk = {"error": _error({"code": "server_error", **details})}
    return _broken(wire, details, chunk, DONE) if wire.streams else error_200(wire, details)


def error_chunk_with_usage(wire: Wire, details: Details) -> Wire:
    """As recorded: a finish chunk ("length"), then error and usage in one chunk, no finish reason (details: after)."""
    error = _error({"code": 400, "message": "Token limit reached", **details})
    if not wire.streams:
        return error_200(wire, error)
    usage = next((step["usage"] for step in wire.steps if isinstance(step, dict) and "usage" in step), None)
    finish = {**_head(wire), "choices": _choice("length")}
    last = {**_head(wire), "error": error, "choices": _choice(None), "usage": usage}
    return _broken(wire, details, finish, last, DONE)


def error_chunk_first(wire: Wire, details: Details) -> Wire:
    """An error chunk before any piece of the answer (details: code, message, metadata)."""
    return error_chunk(wire, {**details, "after": 0})


def late_error(wire: Wire, details: Details) -> Wire:
    """200, keep-alives, and only then that it is an error (details: code, message, metadata)."""
    keep_alive, failed = (COMMENT, error_chunk_first) if wire.streams else (BLANK_LINES, error_200)
    made = failed(wire, details)
    return replace(made, steps=(keep_alive, keep_alive, *made.steps))


# Answers that break off, fall silent or are garbled. `after` counts the chunks that get through, 1 when not given.


def _begun(wire: Wire, details: Details) -> tuple[Step, ...]:
    """What still goes out: so many chunks of a stream, or the first half of a body."""
    if not wire.streams:
        whole = b"".join(wire.encode(step) for step in wire.steps if isinstance(step, bytes | dict))
        return (whole[: len(whole) // 2],)
    places = [at for at, step in enumerate(wire.steps) if isinstance(step, dict)]
    pieces = [at for at in places if not _is_end(wire.steps[at])]
    through = pieces[: details.get("after", 1)]
    return wire.steps[: through[-1] + 1] if through else wire.steps[: places[0] if places else None]


def _broken(wire: Wire, details: Details, *after: Step) -> Wire:
    return replace(wire, steps=(*_begun(wire, details), *after))


def cut(wire: Wire, details: Details) -> Wire:
    """The connection is closed in the middle of the answer (details: after)."""
    return _broken(wire, details, Cut())


def cut_in_chunk(wire: Wire, details: Details) -> Wire:
    """The connection is closed in the middle of a chunk (details: after)."""
    begun = _begun(wire, details)
    following = next((step for step in wire.steps[len(begun) :] if isinstance(step, dict)), {})
    torn = wire.encode(following)
    return replace(wire, steps=(*begun, *([torn[: len(torn) // 2]] if wire.streams else []), Cut()))


def garbage(_: Wire, __: Details) -> Wire:
    """Bytes that are no HTTP, then the connection is closed."""
    return Wire(0, {}, (b"\x15\x03\x03\x00\x02\x02\x46 no HTTP\r\n\r\n",))


def hang_up(_: Wire, __: Details) -> Wire:
    """The connection is closed before anything is answered."""
    return Wire(0)


def truncated(wire: Wire, details: Details) -> Wire:
    """The answer just ends, in good order: no finish reason, no [DONE] (details: after)."""
    return _broken(wire, details)


def no_done(wire: Wire, _: Details) -> Wire:
    """A whole stream, but without [DONE]."""
    return replace(wire, steps=tuple(step for step in wire.steps if step != DONE))


def no_finish(wire: Wire, details: Details) -> Wire:
    """[DONE], but no finish reason before it (details: after)."""
    return _broken(wire, details, DONE) if wire.streams else _edited_end(wire, finish_reason=None)


def silence(wire: Wire, details: Details) -> Wire:
    """The answer stops and nothing follows, until the client leaves (details: after)."""
    return _broken(wire, details, Pause(details.get("seconds", float("inf"))))


def comments_forever(wire: Wire, details: Details) -> Wire:
    """Keep-alive comments (white space, where nothing streams) until the client leaves (details: after, every)."""
    pause = Pause(details.get("every", 0.02))
    keep_alive = COMMENT if wire.streams else BLANK_LINES
    begun = _begun(wire, details) if wire.streams else ()
    return replace(wire, steps=begun, forever=(keep_alive, pause))


def malformed_chunk(wire: Wire, details: Details) -> Wire:
    """A chunk (or a body) that is not JSON (details: after)."""
    if not wire.streams:
        return _broken(wire, details)
    begun = _begun(wire, details)
    return replace(wire, steps=(*begun, b'data: {"id":"gen-1","choi\n\n', *wire.steps[len(begun) :]))


def slow_start(wire: Wire, details: Details) -> Wire:
    """The headers come at once, the rest after some time (details: seconds)."""
    return replace(wire, steps=(Pause(details.get("seconds", 0.5)), *wire.steps))


_FAULTS: dict[str, Apply] = {
    **{name: _refuses(name) for name in REFUSALS},
    "error_200": error_200,
    "null_choices": null_choices,
    "empty_choices": empty_choices,
    "choice_error": choice_error,
    "finish_error": finish_error,
    "html": html,
    "empty_body": empty_body,
    "empty_answer": empty_answer,
    "json_for_stream": json_for_stream,
    "shuffled": shuffled,
    "missing_item": missing_item,
    "empty_vector": empty_vector,
    "error_chunk": error_chunk,
    "error_chunk_bare": error_chunk_bare,
    "error_chunk_with_usage": error_chunk_with_usage,
    "error_chunk_first": error_chunk_first,
    "late_error": late_error,
    "cut": cut,
    "cut_in_chunk": cut_in_chunk,
    "garbage": garbage,
    "hang_up": hang_up,
    "truncated": truncated,
    "no_done": no_done,
    "no_finish": no_finish,
    "silence": silence,
    "comments_forever": comments_forever,
    "malformed_chunk": malformed_chunk,
    "slow_start": slow_start,
}
_HIDING = {
    *REFUSALS,
    *("error_200", "null_choices", "empty_choices", "html", "empty_body", "empty_answer"),
    *("error_chunk_first", "late_error", "garbage", "hang_up"),
}
_FREE = {*REFUSALS, "error_200", "error_chunk_first", "late_error", "html", "empty_body", "garbage", "hang_up"}

FAULTS: Mapping[str, str] = MappingProxyType({name: (apply.__doc__ or "").strip() for name, apply in _FAULTS.items()})
"""Every fault by name, with one line on what it does."""
