"""One pure reducer: chunk in, `Delta` out, and at the end the body that the same answer gives unstreamed.

The bytes of a stream are split by `core.sse`, each event is parsed once, `ReplyBuilder.feed` folds it in. All of
it is shared by sync and async. Recorded shapes of a stream's end (usage chunk with an empty delta, with ``choices:
[]``, or with the finish reason repeated) all come out the same: reasons are taken once, usage is a snapshot, nothing
is added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from openrouter_adapters.core.reasoning import ReasoningDetails, details_text
from openrouter_adapters.core.reply import Reply, content_images, content_text
from openrouter_adapters.core.tool_calls import ToolCallAssembler, ToolCallDelta
from openrouter_adapters.core.wire import dict_of, dicts_of, id_of, int_of, known, text_of


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


_new_tuple = tuple.__new__
NOTHING_MORE = Delta()[1:]
"""What comes after the text of a delta that is text alone."""


class ReplyBuilder:
    """Folds chunks; `body` and `reply` tell what has arrived so far.

    Attributes:
        error: the ``error`` object of a chunk or choice, once one came.
        answered: whether any choice came.
        started: whether a piece of the answer has been handed out.
        chunks_seen: whether any chunk came at all.
        steady: whether the last chunk said nothing new beside its delta.
    """

    __slots__ = (
        "_annotations",
        "_audio",
        "_beside",
        "_calls",
        "_content_seen",
        "_details",
        "_error_known",
        "_finish",
        "_head",
        "_images",
        "_index",
        "_logprobs",
        "_native",
        "_reasoning",
        "_reasoning_key",
        "_refusal",
        "_sound",
        "_text",
        "_top",
        "answered",
        "chunks_seen",
        "error",
        "started",
        "steady",
    )

    def __init__(self) -> None:
        self.error: Any = None
        self._error_known = False
        self._index: int | None = None
        self.answered: bool = False
        self.started: bool = False
        self.chunks_seen: bool = False
        self.steady: bool = False
        # Of the last chunk, what is beside its choices; of a choice that said nothing else, what is beside its delta.
        self._head: dict[Any, Any] = {None: None}  # like no JSON
        self._beside: dict[Any, Any] = {None: None}
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
        self._sound: dict[str, list[str]] = {}  # what of the audio comes in pieces
        self._logprobs: dict[str, list[Any] | None] = {}
        self._finish: str | None = None
        self._native: str | None = None

    def feed(self, chunk: Mapping[str, Any]) -> Delta | None:
        """Fold one chunk in; what it added, or None when it added nothing to hand on.

        Most chunks differ from the one before in their delta alone, and what is beside it is not looked at again: this
        is the hot path.
        """
        head, beside = self._head, self._beside
        try:
            head["choices"] = choices = chunk["choices"]
            [choice] = choices
            beside["delta"] = delta = choice["delta"]
        except (KeyError, TypeError, ValueError):
            return self._feed_any(chunk)
        if chunk == head and choice == beside and choices.__class__ is list:
            self.steady = True
            return self._feed_delta(delta, {})
        return self._feed_any(chunk)

    def more_text(self, text: str) -> Delta:
        """Fold in a chunk that is the one before, but for its text."""
        self._text.append(text)
        return _new_tuple(Delta, (text, *NOTHING_MORE))  # half the time that its constructor takes

    def _feed_any(self, chunk: Mapping[str, Any]) -> Delta | None:
        self.steady, self.chunks_seen = False, True
        self._note_top(chunk)
        if "error" in self._top:
            self._note_error(self._top.pop("error"))
        elif says_error(chunk):
            self._note_error(chunk)
        else:
            self._head = dict(chunk)
        choices, added = chunk.get("choices"), None
        for choice in choices if choices.__class__ is list else ():
            if choice.__class__ is not dict:
                continue
            index = int_of(choice.get("index")) or 0
            self._index = index if self._index is None else self._index
            if index == self._index:  # OpenRouter streams one choice
                added = self._feed_choice(choice)
            else:
                self._note_error(choice.get("error"))
        return added

    def feed_afterwards(self, chunk: Mapping[str, Any]) -> None:
        """Fold in what follows an error: what it was, what was charged; no piece of the answer any more."""
        self._note_top({key: chunk.get(key) for key in _TOLD_AFTERWARDS})
        self._note_error(chunk.get("error"))

    def _note_top(self, chunk: Mapping[str, Any]) -> None:
        """What stands beside the choices. The latest counts; what is empty says nothing of what was told before."""
        for key, value in chunk.items():
            before = self._top.get(key)
            if value is None or (before and not value):
                continue
            if key == "usage" and isinstance(before, dict) and isinstance(value, dict):
                value = {**before, **known(**value)}
            self._top[key] = [*(before or ()), value] if key == "debug" else value  # there is one for each provider

    def _note_error(self, error: Any) -> None:
        """The first error that says what it is; a finish reason alone does not."""
        if error and not self._error_known:
            self.error = error
            self._error_known = True

    def _feed_choice(self, choice: Mapping[str, Any]) -> Delta | None:
        if not self.answered:
            self.answered = any(choice.get(key) is not None for key in OF_AN_ANSWER)
        added: dict[str, Any] = {}
        said = [key for key, value in choice.items() if value and key != "delta"]
        for key in said:
            if key in _BESIDE_DELTA:
                _BESIDE_DELTA[key](self, choice[key], added)
        if not said:
            self._beside = dict(choice)
        if self._finish == "error" and self.error is None:
            self.error = broken_off(self._native)
        return self._feed_delta(choice.get("delta") or self._unsaid(choice.get("message")), added)

    def _unsaid(self, message: Any) -> dict[str, Any]:
        """Of a whole message in the place of a delta, what no delta has said."""
        if not (message and self.started):  # an empty delta alone is frequent, and what was said may be long
            return dict_of(message)
        said = self._message()
        return {key: value for key, value in dict_of(message).items() if not said.get(key)}

    def _feed_delta(self, delta: Any, added: dict[str, Any]) -> Delta | None:
        """Fold in what is in a delta; ``added`` is what stands beside it."""
        for key, value in delta.items() if delta.__class__ is dict else ():
            if value:
                if key in _IN_DELTA:
                    _IN_DELTA[key](self, value, delta, added)
            elif key == "content" and value is not None:
                self._content_seen = True
            elif key == "reasoning_details":
                self._feed_details(value, delta, added)
        if not added:
            return None
        self.started = True
        if len(added) == 1:  # the constructor takes four times as long
            if "reasoning" in added:
                return _new_tuple(Delta, ("", added["reasoning"], *NOTHING_MORE[1:]))
            if "tool_calls" in added:
                return _new_tuple(Delta, ("", "", added["tool_calls"], *NOTHING_MORE[2:]))
        return Delta(**added)

    def _feed_finish(self, value: Any, _: dict[str, Any]) -> None:
        """Reasons come once, or again in the usage chunk; an error may follow a normal reason."""
        if isinstance(value, str) and (self._finish is None or value == "error"):
            self._finish = value

    def _feed_native(self, value: Any, _: dict[str, Any]) -> None:
        self._native = text_of(value) or self._native

    def _feed_legacy_text(self, value: Any, added: dict[str, Any]) -> None:
        self._feed_text(value, {}, added)

    def _feed_error(self, value: Any, _: dict[str, Any]) -> None:
        self._note_error(value)

    def _feed_inner_error(self, value: Any, _: Mapping[str, Any], __: dict[str, Any]) -> None:
        self._note_error(value)

    def _feed_logprobs(self, value: Any, added: dict[str, Any]) -> None:
        for key, items in dict_of(value).items():
            kept = self._logprobs.setdefault(key, None)
            if isinstance(items, list):
                self._logprobs[key] = kept = [] if kept is None else kept
                kept.extend(items)
                added["logprobs"] = value

    def _feed_text(self, value: Any, _: Mapping[str, Any], added: dict[str, Any]) -> None:
        self._content_seen = True
        text = content_text(value)
        if text:
            self._text.append(text)
            added["text"] = text
        if value.__class__ is not str and (pictures := content_images(value)):
            self._feed_images(pictures, {}, added)

    def _feed_reasoning(self, value: Any, _: Mapping[str, Any], added: dict[str, Any], key: str = "reasoning") -> None:
        """The wire says reasoning twice, plainly and in the details; the first way that says something is kept to."""
        if value.__class__ is str and value and self._reasoning_key in ("", key) and "reasoning" not in added:
            self._reasoning_key = key
            self._reasoning.append(value)
            added["reasoning"] = value

    def _feed_reasoning_content(self, value: Any, delta: Mapping[str, Any], added: dict[str, Any]) -> None:
        if not delta.get("reasoning"):
            self._feed_reasoning(value, delta, added, "reasoning_content")

    def _feed_details(self, value: Any, delta: Mapping[str, Any], added: dict[str, Any]) -> None:
        if value.__class__ is not list:
            return
        self._details = self._details or ReasoningDetails()
        self._details.add(value)
        if self._reasoning_key == "details" or not (self._reasoning_key or _plain_reasoning(delta)):
            self._feed_reasoning(details_text(value), delta, added, "details")

    def _feed_calls(self, value: Any, _: Mapping[str, Any], added: dict[str, Any]) -> None:
        if value.__class__ is not list or (self._finish and self._calls.are_all(value)):
            return
        if new := self._calls.add(value):
            added["tool_calls"] = new

    def _feed_refusal(self, value: Any, _: Mapping[str, Any], added: dict[str, Any]) -> None:
        if isinstance(value, str):
            self._refusal.append(value)
            added["refusal"] = value

    def _feed_images(self, value: Any, _: Mapping[str, Any], added: dict[str, Any]) -> None:
        if new := _add_new(self._images, value):
            added["images"] = new

    def _feed_annotations(self, value: Any, _: Mapping[str, Any], added: dict[str, Any]) -> None:
        if new := _add_new(self._annotations, value):
            added["annotations"] = new

    def _feed_audio(self, value: Any, _: Mapping[str, Any], added: dict[str, Any]) -> None:
        for key, piece in dict_of(value).items():
            if key in ("data", "transcript") and isinstance(piece, str):
                self._sound.setdefault(key, []).append(piece)
            elif piece is not None:
                self._audio[key] = piece
            added["audio"] = value

    @property
    def texts(self) -> int:
        """How many pieces of text came."""
        return len(self._text)

    @property
    def finish_reason(self) -> str | None:
        """The finish reason, once it is known."""
        return self._finish

    def missing_call_ids(self) -> list[ToolCallDelta]:
        """At the end: ids for tool calls that came without one."""
        return self._calls.missing_ids(id_of(self._top.get("id")))

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
            "tool_calls": self._calls.to_wire(),
            "refusal": "".join(self._refusal),
            "images": list(self._images),
            "annotations": list(self._annotations),
            "audio": {**self._audio, **{key: "".join(pieces) for key, pieces in self._sound.items()}},
        }
        return message | {key: value for key, value in optional.items() if value}

    def reply(self) -> Reply:
        """The answer so far; at the end, the whole one."""
        return Reply.from_body(self.body())


# What is beside the delta in a choice, and what is in the delta: looked at only where it is there.
_BESIDE_DELTA = {
    "finish_reason": ReplyBuilder._feed_finish,
    "native_finish_reason": ReplyBuilder._feed_native,
    "error": ReplyBuilder._feed_error,
    "logprobs": ReplyBuilder._feed_logprobs,
    "text": ReplyBuilder._feed_legacy_text,
}
_IN_DELTA = {
    "content": ReplyBuilder._feed_text,
    "reasoning": ReplyBuilder._feed_reasoning,
    "reasoning_content": ReplyBuilder._feed_reasoning_content,
    "reasoning_details": ReplyBuilder._feed_details,
    "tool_calls": ReplyBuilder._feed_calls,
    "refusal": ReplyBuilder._feed_refusal,
    "images": ReplyBuilder._feed_images,
    "annotations": ReplyBuilder._feed_annotations,
    "audio": ReplyBuilder._feed_audio,
    "error": ReplyBuilder._feed_inner_error,
}
OF_AN_ANSWER = ("delta", "message", "text", "finish_reason")
"""What a choice has one of at least."""
_TOLD_AFTERWARDS = ("usage", "openrouter_metadata", "service_tier")


def _plain_reasoning(delta: Mapping[str, Any]) -> Any:
    return delta.get("reasoning") or delta.get("reasoning_content")


def says_error(body: Mapping[str, Any]) -> bool:
    """Whether a body or a chunk is an error by its own word, as some servers have it, and no answer."""
    return "error" in (body.get("object"), body.get("type")) and not body.get("choices")


def broken_off(native_finish_reason: str | None) -> dict[str, Any]:
    """The error object for an answer that only says ``finish_reason: error``."""
    said = f" ({native_finish_reason})" if native_finish_reason else ""
    return {"message": f"the provider broke the answer off{said}"}


def _add_new(kept: list[dict[str, Any]], items: Any) -> list[dict[str, Any]]:
    """Append the items that are not there yet: a finish chunk may repeat what came before."""
    new = [item for item in dicts_of(items) if item not in kept]
    kept.extend(new)
    return new
