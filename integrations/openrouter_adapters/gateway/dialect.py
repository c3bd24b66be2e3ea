"""OpenRouter's dialect: a reply as one JSON body, or as the chunks of a stream. Pure functions on dicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import tokens
from .reply import Body, Reply

__all__ = ["Envelope", "chunks", "closing", "completion", "piece", "without"]


@dataclass(frozen=True)
class Envelope:
    """What surrounds a reply: who answered, when, and what it cost.

    Attributes:
        id: the generation's id.
        created: unix seconds.
        model: the model's name in the answer.
        provider: the provider's display name.
        usage: the whole ``usage`` object.
        metadata: ``openrouter_metadata``, where it was asked for.
    """

    id: str
    created: int
    model: str
    provider: str
    usage: Body
    metadata: Body | None = None

    def head(self, object: str) -> Body:
        """The keys that every body and every chunk begins with."""
        return {
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "provider": self.provider,
        }

    def tail(self) -> Body:
        """The keys that come once, at the end."""
        metadata = {} if self.metadata is None else {"openrouter_metadata": self.metadata}
        return {"usage": self.usage, **metadata}


def completion(reply: Reply, envelope: Envelope) -> Body:
    """An unstreamed answer."""
    choice = {
        "index": 0,
        "logprobs": reply.logprobs,
        "finish_reason": reply.finish_reason,
        "native_finish_reason": reply.native_finish_reason,
        "message": message(reply),
    }
    names = {"system_fingerprint": reply.system_fingerprint, "service_tier": reply.service_tier}
    return {**envelope.head("chat.completion"), **names, "choices": [choice], **envelope.tail()}


def message(reply: Reply) -> Body:
    """The assistant's message; what there is none of is absent."""
    extras = {
        "tool_calls": list(reply.tool_calls),
        "reasoning_details": list(reply.reasoning_details or ()),
        "annotations": list(reply.annotations),
        "images": list(reply.images),
        "audio": reply.audio,
    }
    return {
        "role": "assistant",
        "content": reply.text,
        "refusal": reply.refusal,
        "reasoning": reply.reasoning,
        **{key: value for key, value in extras.items() if value},
    }


def chunks(reply: Reply, envelope: Envelope) -> list[Body]:
    """A streamed answer."""
    head = _chunk_head(reply, envelope)
    return [*({**head, "choices": [choice(delta)]} for delta in _with_logprobs(reply)), *closing(reply, envelope)]


def closing(reply: Reply, envelope: Envelope) -> list[Body]:
    """The end of a streamed answer: the chunk that says why it ended, and the one with the usage."""
    head = _chunk_head(reply, envelope)
    finish = (reply.finish_reason, reply.native_finish_reason)
    ends = {"repeat": [choice(_delta(), *finish)], "null": [choice(_delta())], "empty": []}
    last = {**head, "service_tier": reply.service_tier, "choices": ends[reply.end], **envelope.tail()}
    return [{**head, "choices": [choice(_delta(), *finish)]}, last]


def piece(envelope: Envelope, content: str | None, **more: Any) -> Body:
    """One chunk of an answer that is still being made."""
    return {**envelope.head("chat.completion.chunk"), "choices": [choice(_delta(content, **more))]}


def _chunk_head(reply: Reply, envelope: Envelope) -> Body:
    head = envelope.head("chat.completion.chunk")
    named = {} if reply.system_fingerprint is None else {"system_fingerprint": reply.system_fingerprint}
    return {**head, **named}


def choice(delta: Body, finish_reason: str | None = None, native_finish_reason: str | None = None) -> Body:
    """A chunk's only choice. Logprobs travel with the delta and are moved to where they belong."""
    logprobs = {"logprobs": delta["logprobs"]} if "logprobs" in delta else {}
    delta = {key: value for key, value in delta.items() if key != "logprobs"}
    reasons = {"finish_reason": finish_reason, "native_finish_reason": native_finish_reason}
    return {"index": 0, "delta": delta, **reasons, **logprobs}


def _with_logprobs(reply: Reply) -> Iterator[Body]:
    """The deltas; all logprobs go with the first piece of text."""
    logprobs = reply.logprobs
    for delta in _deltas(reply):
        if logprobs is not None and delta.get("content"):
            delta, logprobs = {**delta, "logprobs": logprobs}, None
        yield delta


def _delta(content: str | None = "", **more: Any) -> Body:
    return {"content": content, "role": "assistant", **more}


def _deltas(reply: Reply) -> Iterator[Body]:
    """The pieces in the recorded order: citations, thinking, text, the rest, tool calls."""
    for annotation in reply.annotations:
        yield _delta(annotations=[annotation])
    yield from _thinking(reply)
    yield from _text(reply)
    for piece in _pieces(reply.refusal, reply):
        yield _delta(refusal=piece)
    for image in reply.images:
        yield _delta(images=[image])
    yield from _sound(reply.audio)
    for call in reply.tool_calls:
        if isinstance(call, Mapping):
            yield from _call(call, reply)


def _pieces(text: str | None, reply: Reply) -> list[str]:
    return tokens.groups(text or "", reply.chunk_size)


def _text(reply: Reply) -> Iterator[Body]:
    pieces: Sequence[str | Body] = _pieces(reply.text, reply) if reply.chunks is None else reply.chunks
    for piece in pieces:
        yield _delta(piece) if isinstance(piece, str) else _delta(**piece)


def _thinking(reply: Reply) -> Iterator[Body]:
    """Thinking item by item; the plain ``reasoning`` runs along with the first readable item."""
    details = list(reply.reasoning_details or ())
    if reply.reasoning and not any(_readable(item) for item in details):
        for piece in _pieces(reply.reasoning, reply):
            yield _delta(reasoning=piece)
    for item in details:
        yield from _item(item, reply)


def _readable(item: Body) -> str:
    return item.get("text") or item.get("summary") or ""


def _item(item: Body, reply: Reply) -> Iterator[Body]:
    """One item as it arrives: opened empty, then its text in pieces, then its signature alone."""
    key = "summary" if "summary" in item else "text"
    if not _readable(item):
        yield _delta(reasoning=None, reasoning_details=[item])
        return
    common = {name: value for name, value in item.items() if name not in (key, "signature")}
    if "signature" in item:
        yield _delta(reasoning=None, reasoning_details=[{**common, key: "", "signature": ""}])
    for piece in _pieces(item[key], reply):
        yield _delta(reasoning=piece, reasoning_details=[{**common, key: piece}])
    if "signature" in item:
        yield _delta(reasoning_details=[{**common, "signature": item["signature"]}])


def _sound(audio: Body | None) -> Iterator[Body]:
    """Audio: data, then the transcript, then when it expires."""
    for key in ("data", "transcript", "expires_at"):
        if audio and key in audio:
            yield _delta(audio={"id": audio.get("id"), key: audio[key]})


def _call(call: Mapping[str, Any], reply: Reply) -> Iterator[Body]:
    """One tool call: first its names with no arguments, then the arguments in pieces."""
    function = call["function"]
    opening = {**function, "arguments": ""} if "arguments" in function else function
    names = {key: call[key] for key in ("index", "id", "type") if key in call}
    yield _delta(None, tool_calls=[{**names, "function": opening}])
    for piece in _pieces(function.get("arguments"), reply):
        yield _delta(None, tool_calls=[{"index": call.get("index", 0), "function": {"arguments": piece}}])


def without(value: Any, path: str) -> Any:
    """A JSON value without what stands at a dotted path; list items are named by number."""
    key, _, rest = path.partition(".")
    if isinstance(value, list):
        return [without(item, rest) if rest and str(at) == key else item for at, item in enumerate(value)]
    if not isinstance(value, Mapping) or key not in value:
        return value
    if not rest:
        return {name: item for name, item in value.items() if name != key}
    return {**value, key: without(value[key], rest)}
