"""What a model says: the gateway's own word for an answer, before it is put into OpenRouter's dialect."""

import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from . import tokens

__all__ = ["Body", "Live", "Reply"]

Body: TypeAlias = dict[str, Any]
"""A request or response body: JSON as Python has it."""

ToolCall: TypeAlias = Mapping[str, Any] | tuple[str, Any]
"""A call in the wire's shape, or ``{"name": ..., "arguments": ...}``, or ``(name, arguments)``."""


@dataclass(frozen=True)
class Reply:
    """One answer. Everything has a sensible default; what is given is sent as given.

    Attributes:
        text: the answer's text; None is sent as null.
        reasoning: the thinking's text.
        reasoning_details: whole items, as on the wire; made from ``reasoning`` when not given.
        tool_calls: calls; arguments may be an object or raw text (say, text that is cut off).
        images: URLs, or whole items as on the wire.
        audio: the wire's audio object (``id``, ``data``, ``transcript``, ``expires_at``).
        annotations: items as on the wire.
        refusal: the model's refusal.
        logprobs: the choice's logprobs, as on the wire.
        finish_reason: found out when not given.
        native_finish_reason: found out when not given.
        model: the model that the answer names, in place of the one that was routed to.
        provider: the provider's display name, in place of the one that was routed to.
        usage: merged over the computed usage.
        cost: USD; put in place of the computed cost.
        service_tier: the tier that the answer names.
        system_fingerprint: the fingerprint that the answer names.
        chunks: the stream's pieces: a string is a piece of text, an object is a whole ``delta``.
        chunk_size: tokens in a piece, when ``chunks`` is not given.
        comments: keep-alive comments before the first chunk (blank lines before an unstreamed body); unless 0, a longer
            stream has some between its chunks too.
        end: the stream's end: the usage chunk repeats the choice ("repeat", today's wire), has a choice without a
            finish reason ("null") or has no choices ("empty").
        delay: seconds between chunks, and before an unstreamed answer.
        omit: dotted paths to leave out of bodies and chunks, such as ``usage.cost`` or ``choices.0.logprobs``.
        body: a raw body in place of all this, for an unstreamed answer.
        events: raw events in place of all this, for a stream: objects, or the event's text.
        status: the HTTP status.
        headers: more response headers.
    """

    text: str | None = None
    reasoning: str | None = None
    reasoning_details: Sequence[Body] | None = None
    tool_calls: Sequence[ToolCall] = ()
    images: Sequence[str | Body] = ()
    audio: Body | None = None
    annotations: Sequence[Body] = ()
    refusal: str | None = None
    logprobs: Body | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    model: str | None = None
    provider: str | None = None
    usage: Mapping[str, Any] | None = None
    cost: float | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    chunks: Sequence[str | Body] | None = None
    chunk_size: int = 1
    comments: int = 2
    end: Literal["repeat", "null", "empty"] = "repeat"
    delay: float = 0.0
    omit: Sequence[str] = ()
    body: Any = None
    events: Sequence[Any] | None = None
    status: int = 200
    headers: Mapping[str, str] | None = None

    def completed(self, family: str) -> "Reply":
        """The same reply with what was left open filled in, in the manner of a family of models."""
        calls = tuple(wire_call(call, index, family) for index, call in enumerate(self.tool_calls))
        reason = self.finish_reason or ("tool_calls" if calls else "stop")
        return replace(
            self,
            text=self._whole_text(),
            tool_calls=calls,
            images=tuple(wire_image(image, index) for index, image in enumerate(self.images)),
            reasoning_details=self._details(family),
            finish_reason=reason,
            native_finish_reason=self.native_finish_reason or native_reason(reason, family),
        )

    def _whole_text(self) -> str | None:
        if self.text is None and self.chunks is not None:
            return "".join(_text_of(chunk) for chunk in self.chunks) or None
        return self.text

    def _details(self, family: str) -> Sequence[Body]:
        if self.reasoning_details is not None or not self.reasoning:
            return self.reasoning_details or ()
        return reasoning_details(self.reasoning, family)

    def limited(self, max_tokens: int | None, stop: Sequence[str]) -> "Reply":
        """The same reply, ended at a stop sequence or at the output limit."""
        text = _until(self.text, stop)
        if max_tokens is None or tokens.count(text) + self._call_tokens() <= max_tokens:
            return replace(self, text=text)
        text = tokens.cut(text, max_tokens) if text else text
        return replace(self, text=text, tool_calls=self._cut_calls(max_tokens), finish_reason="length")

    def _call_tokens(self) -> int:
        return sum(tokens.count(arguments_text(call)) for call in self.tool_calls)

    def _cut_calls(self, max_tokens: int) -> Sequence[ToolCall]:
        calls = [(call_name(call), arguments_text(call)) for call in self.tool_calls]
        return tuple((name, tokens.cut(arguments, max_tokens)) for name, arguments in calls)


Say: TypeAlias = Callable[[Literal["text", "call", "arguments"], str], bool]
"""Hands over one more piece: of the text, the name of a tool that is called, or a piece of its arguments.

False when nobody listens any more. An empty piece is not sent, it only asks for that.
"""


@dataclass(frozen=True)
class Live:
    """An answer that takes time to make.

    Attributes:
        make: makes it, in a thread of its own: says each piece as it comes, and returns the whole. It stops early when
            nobody listens, and raises `Refused` where there is no answer.
    """

    make: Callable[[Say], Reply]


Respond: TypeAlias = Callable[[Body], Reply | Live]
"""What answers when nothing is scripted."""


def _until(text: str | None, stop: Sequence[str]) -> str | None:
    for mark in stop:
        text = text.partition(mark)[0] if text and mark else text
    return text


def _text_of(chunk: str | Body) -> str:
    return chunk if isinstance(chunk, str) else chunk.get("content") or ""


def call_name(call: ToolCall) -> str:
    """The name of the tool that is called."""
    if isinstance(call, tuple):
        return call[0]
    return str(call.get("name") or (call.get("function") or {}).get("name"))


def arguments_text(call: ToolCall) -> str:
    """A call's arguments as the JSON text that goes over the wire."""
    arguments = call[1] if isinstance(call, tuple) else (call.get("function") or call).get("arguments")
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments, ensure_ascii=False)


_CALL_ID = {"anthropic": "toolu_{}", "google": "tool_{}", "mistralai": "local{}"}
_numbers = itertools.count(1)


def wire_call(call: ToolCall, index: int, family: str) -> Body:
    """A call in the wire's shape. One that has a ``function`` keeps what it has, and lacks what it lacks."""
    made = {"type": "function", "index": index, "id": _CALL_ID.get(family, "call_{}").format(f"{next(_numbers):08d}")}
    if isinstance(call, Mapping) and "function" in call:
        text = {"arguments": arguments_text(call)} if call["function"].get("arguments") is not None else {}
        return {**made, **call, "function": {**call["function"], **text}}
    given = {"id": call["id"]} if isinstance(call, Mapping) and "id" in call else {}
    return {**made, **given, "function": {"name": call_name(call), "arguments": arguments_text(call)}}


def wire_image(image: str | Body, index: int) -> Body:
    """An image in the wire's shape."""
    if isinstance(image, str):
        return {"type": "image_url", "image_url": {"url": image}, "index": index}
    return image


_NATIVE = {
    "anthropic": {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"},
    "google": {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"},
    "openai": {"stop": "completed", "tool_calls": "completed", "length": "max_output_tokens"},
}


def native_reason(finish_reason: str, family: str) -> str:
    """What the upstream itself would have called the end."""
    return _NATIVE.get(family, {}).get(finish_reason, finish_reason)


def reasoning_details(text: str, family: str) -> list[Body]:
    """The items that a family of models sends along with a thinking text."""
    if family == "openai":
        common = {"format": "openai-responses-v1"}
        summary = {"type": "reasoning.summary", "summary": text, **common, "index": 0}
        secret = {"type": "reasoning.encrypted", "data": sealed(text), "id": "rs_local", **common, "index": 1}
        return [summary, secret]
    if family == "google":
        common = {"format": "google-gemini-v1"}
        return [
            {"type": "reasoning.text", "text": text, **common, "index": 0},
            {"type": "reasoning.encrypted", "data": sealed(text), "id": "rs_local", **common, "index": 0},
        ]
    if family == "anthropic":
        common = {"format": "anthropic-claude-v1"}
        return [{"type": "reasoning.text", "text": text, **common, "index": 0, "signature": sealed(text)}]
    return [{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}]


def sealed(text: str) -> str:
    """A stand-in for a signature or for encrypted thinking: the same text gives the same seal."""
    return base64.b64encode(hashlib.sha512(text.encode(errors="replace")).digest()).decode()
