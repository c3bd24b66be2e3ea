"""One pure reducer: chunk in, `Delta` out, and at the end the body that the same answer gives unstreamed.

The bytes of a stream are split by `EventSplitter`, each event is parsed once, `ReplyBuilder.feed` folds it in. All of
it is shared by sync and async. Recorded shapes of a stream's end (usage chunk with an empty delta, with ``choices:
[]``, or with the finish reason repeated) all come out the same: reasons are taken once, usage is a snapshot, nothing
is added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from openrouter_adapters.core.reasoning import ReasoningDetails, details_text
from openrouter_adapters.core.reply import Reply, content_text
from openrouter_adapters.core.tool_calls import ToolCallAssembler, ToolCallDelta
from openrouter_adapters.core.wire import dict_of, dicts_of, text_of

DONE = b"[DONE]"


class EventSplitter:
    r"""Splits the bytes of a ``text/event-stream`` into the data of its events.

    Works on bytes and ``\n`` alone: a text splitter would also break at U+2028 inside a JSON string. Comments
    (``: OPENROUTER PROCESSING``) and other fields than ``data`` carry nothing and are skipped.
    """

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, block: bytes) -> list[bytes]:
        """The data of each event that ends in this block of bytes."""
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        events, data = [], self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif data and line in (b"", b"\r"):
                events.append(data[0] if len(data) == 1 else b"\n".join(data))
                data.clear()
        return [event for event in events if event]

    def rest(self) -> list[bytes]:
        """The data of a last event that no blank line ended."""
        return self.feed(b"\n\n")


class Delta(NamedTuple):
    """What one chunk added to the answer. Most chunks add only text."""

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[ToolCallDelta] = ()
    refusal: str = ""
    images: Sequence[dict[str, Any]] = ()
    annotations: Sequence[dict[str, Any]] = ()
    audio: dict[str, Any] | None = None
    logprobs: dict[str, Any] | None = None


class ReplyBuilder:
    """Folds chunks; `body` and `reply` tell what has arrived so far.

    Attributes:
        error: the ``error`` object of a chunk or choice, once one came.
        answered: whether any choice came.
        started: whether a piece of the answer has been handed out.
    """

    __slots__ = (
        "_annotations",
        "_audio",
        "_calls",
        "_content_seen",
        "_details",
        "_finish",
        "_images",
        "_logprobs",
        "_native",
        "_reasoning",
        "_reasoning_key",
        "_refusal",
        "_text",
        "_top",
        "answered",
        "error",
        "started",
    )

    def __init__(self) -> None:
        self.error: Any = None
        self.answered = False
        self.started = False
        self._top: dict[str, Any] = {}
        self._text: list[str] = []
        self._content_seen = False
        self._reasoning: list[str] = []
        self._reasoning_key = ""
        self._details: ReasoningDetails | None = None
        self._calls = ToolCallAssembler()
        self._refusal: list[str] = []
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._audio: dict[str, Any] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._finish: str | None = None
        self._native: str | None = None

    def feed(self, chunk: dict[str, Any]) -> Delta | None:
        """Fold one chunk in; what it added, or None when it added nothing to hand on.

        A chunk that is text and nothing else takes the short way: this is the hot path.
        """
        top = self._top
        for key, value in chunk.items():
            if value is not None:
                top[key] = value
        try:
            [choice] = chunk["choices"]
            delta = choice["delta"]
            text = delta["content"]
        except (KeyError, TypeError, ValueError):
            return self._feed_any(chunk)
        for key, value in choice.items():
            if value and key != "delta":
                return self._feed_any(chunk)
        for key, value in delta.items():
            if value and key != "content" and key != "role":
                return self._feed_any(chunk)
        if "error" in top or text.__class__ is not str:
            return self._feed_any(chunk)
        self.answered = self._content_seen = True
        if self._details is None and "reasoning_details" in delta:
            self._details = ReasoningDetails()  # kept even when empty: some models reject its absence in the next turn
        if not text:
            return None
        self._text.append(text)
        self.started = True
        return Delta(text)

    def _feed_any(self, chunk: Mapping[str, Any]) -> Delta | None:
        self.error = self._top.pop("error", None) or self.error
        added = None
        for choice in dicts_of(chunk.get("choices")):
            if not choice.get("index"):  # OpenRouter streams one choice
                added = self._feed_choice(choice)
        self.started = self.started or added is not None
        return added

    def _feed_choice(self, choice: Mapping[str, Any]) -> Delta | None:
        self.answered = True
        self._feed_reasons(choice)
        delta = dict_of(choice.get("delta")) or dict_of(choice.get("message"))
        made = Delta(
            text=self._feed_text(delta),
            reasoning=self._feed_reasoning(delta),
            tool_calls=self._calls.add(_listed(delta.get("tool_calls"))),
            refusal=self._feed_refusal(delta),
            images=_add_new(self._images, delta.get("images")),
            annotations=_add_new(self._annotations, delta.get("annotations")),
            audio=self._feed_audio(delta),
            logprobs=self._feed_logprobs(choice),
        )
        return made if any(made) else None

    def _feed_reasons(self, choice: Mapping[str, Any]) -> None:
        """Reasons come once, or again in the usage chunk; an error may follow a normal reason."""
        finish = text_of(choice.get("finish_reason"))
        if finish and (self._finish is None or finish == "error"):
            self._finish = finish
        self._native = text_of(choice.get("native_finish_reason")) or self._native
        self.error = choice.get("error") or self.error
        if finish == "error" and self.error is None:
            self.error = broken_off(self._native)

    def _feed_text(self, delta: Mapping[str, Any]) -> str:
        content = delta.get("content")
        self._content_seen = self._content_seen or content is not None
        text = content_text(content)
        if text:
            self._text.append(text)
        return text

    def _feed_reasoning(self, delta: Mapping[str, Any]) -> str:
        """The wire says reasoning twice, plainly and in the details; the first way that says something is kept to."""
        details = delta.get("reasoning_details")
        if isinstance(details, list):
            self._details = self._details or ReasoningDetails()
            self._details.add(details)
        for key in (self._reasoning_key,) if self._reasoning_key else ("reasoning", "reasoning_content", "details"):
            piece = details_text(_listed(details)) if key == "details" else text_of(delta.get(key)) or ""
            if piece:
                self._reasoning_key = key
                self._reasoning.append(piece)
                return piece
        return ""

    def _feed_refusal(self, delta: Mapping[str, Any]) -> str:
        refusal = text_of(delta.get("refusal")) or ""
        if refusal:
            self._refusal.append(refusal)
        return refusal

    def _feed_audio(self, delta: Mapping[str, Any]) -> dict[str, Any] | None:
        piece = dict_of(delta.get("audio"))
        for key, value in piece.items():
            if key in ("data", "transcript") and isinstance(value, str):
                self._audio[key] = self._audio.get(key, "") + value
            elif value is not None:
                self._audio[key] = value
        return piece or None

    def _feed_logprobs(self, choice: Mapping[str, Any]) -> dict[str, Any] | None:
        piece = dict_of(choice.get("logprobs"))
        for key, value in piece.items():
            if isinstance(value, list):
                self._logprobs.setdefault(key, []).extend(value)
        return piece or None

    @property
    def finish_reason(self) -> str | None:
        """The finish reason, once it is known."""
        return self._finish

    @property
    def chunks_seen(self) -> bool:
        """Whether any chunk came at all."""
        return bool(self._top)

    def missing_call_ids(self) -> list[ToolCallDelta]:
        """At the end: ids for tool calls that came without one."""
        return self._calls.missing_ids(text_of(self._top.get("id")))

    def tool_calls(self) -> list[dict[str, Any]]:
        """The tool calls so far, in the wire's unstreamed form."""
        return self._calls.to_wire()

    def body(self) -> dict[str, Any]:
        """The body so far, as the same answer gives it unstreamed; fresh where it was put together."""
        choice = {
            "index": 0,
            "message": self._message(),
            "finish_reason": self._finish,
            "native_finish_reason": self._native,
            "logprobs": dict(self._logprobs) or None,
        }
        return {**self._top, "object": "chat.completion", "choices": [choice]}

    def _message(self) -> dict[str, Any]:
        text = "".join(self._text)
        message: dict[str, Any] = {"role": "assistant", "content": text if text or self._content_seen else None}
        if self._reasoning and self._reasoning_key != "details":
            message[self._reasoning_key] = "".join(self._reasoning)
        if self._details is not None:
            message["reasoning_details"] = self._details.whole()
        optional = {
            "tool_calls": self.tool_calls(),
            "refusal": "".join(self._refusal),
            "images": list(self._images),
            "annotations": list(self._annotations),
            "audio": dict(self._audio),
        }
        return message | {key: value for key, value in optional.items() if value}

    def reply(self) -> Reply:
        """The answer so far; at the end, the whole one."""
        return Reply.from_body(self.body())


def broken_off(native_finish_reason: str | None) -> dict[str, Any]:
    """The error object for an answer that only says ``finish_reason: error``."""
    said = f" ({native_finish_reason})" if native_finish_reason else ""
    return {"message": f"the provider broke the answer off{said}"}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _add_new(kept: list[dict[str, Any]], items: Any) -> list[dict[str, Any]]:
    """Append the items that are not there yet: a finish chunk may repeat what came before."""
    new = [item for item in dicts_of(items) if item not in kept]
    kept.extend(new)
    return new
