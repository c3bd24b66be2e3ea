"""First answers of reasoning models that call tools, in each vendor's shape, whole and in the pieces of a stream.

Shapes and order of the pieces are those of the recordings; texts are shortened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Cut = Callable[[str], list[str]]
Message = dict[str, Any]

CLAUDE, GPT, GEMINI = "anthropic/claude-sonnet-4.5", "openai/gpt-5-mini", "google/gemini-2.5-flash"
_GROWING = {"reasoning.text": "text", "reasoning.summary": "summary"}
_CLAUDE, _GPT, _GEMINI = (
    {"format": f"{name}-v1"} for name in ("anthropic-claude", "openai-responses", "google-gemini")
)


def _text(text: str, index: int = 0, **more: Any) -> Message:
    return {"type": "reasoning.text", "text": text, "index": index, **more}


def _summary(text: str, index: int, **more: Any) -> Message:
    return {"type": "reasoning.summary", "summary": text, "index": index, **_GPT, **more}


def _secret(data: str, index: int, **more: Any) -> Message:
    return {"type": "reasoning.encrypted", "data": data, "index": index, **more}


def _call(id: str, arguments: str, index: int = 0) -> Message:
    return {"id": id, "index": index, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def _answer(details: list[Message], *calls: Message, content: str | None = None) -> Message:
    reasoning = "".join(item.get("text") or item.get("summary") or "" for item in details)
    said = {"role": "assistant", "content": content, "refusal": None, "reasoning": reasoning or None}
    return {**said, "reasoning_details": details, "tool_calls": list(calls)}


# The white space and escapes of the arguments are a provider's own, and its cache key.
_PARIS, _KOELN = '{"city":  "Paris"}', '{"city": "K\\u00f6ln",\n "days": 1.0}'
_SEAL = "EqoBCkgIARABGAIiQL8//+zÿ=="

ANSWERS: dict[str, tuple[str, Message]] = {
    "anthropic": (
        CLAUDE,
        _answer([_text("Paris,\n\nthen Köln. 🌦", signature=_SEAL, **_CLAUDE)], _call("toolu_1", _PARIS)),
    ),
    "anthropic, parallel, text beside": (
        CLAUDE,
        _answer(
            [_text("Both.", signature=_SEAL, **_CLAUDE)],
            _call("toolu_1", _PARIS),
            _call("toolu_2", _KOELN, 1),
            content="Let me look at both.",
        ),
    ),
    "anthropic, two thoughts": (
        CLAUDE,
        _answer(
            [_text("One. ", signature="s1==", **_CLAUDE), _text("Two.", signature="s2==", **_CLAUDE)],
            _call("toolu_1", _KOELN),
        ),
    ),
    "anthropic, redacted": (
        CLAUDE,
        _answer(
            [_text("Hm.", signature=_SEAL, **_CLAUDE), _secret("EmwKAhgB", 1, id=None, **_CLAUDE)],
            _call("toolu_1", _PARIS),
        ),
    ),
    "openai, distinct indices": (
        GPT,
        _answer(
            [
                _summary("**Looking** at the weather", 0, id="rs_1"),
                _secret("gAAAAABo==", 1, id="rs_1", **_GPT),
                _summary("**Two** cities", 2, id="rs_2"),
                _secret("gAAAAABp==", 3, id="rs_2", **_GPT),
            ],
            _call("call_1", _PARIS),
            _call("call_2", _KOELN, 1),
        ),
    ),
    "openai, shared index": (
        GPT,
        _answer(
            [_summary("**Looking** at it", 0), _secret("gAAAAABo==", 0, id="rs_1", **_GPT)], _call("call_1", _KOELN)
        ),
    ),
    "openai, secret only": (GPT, _answer([_secret("gAAAAABo==", 0, id="rs_1", **_GPT)], _call("call_1", _PARIS))),
    "gemini": (
        GEMINI,
        _answer(
            [_text("**Weather**\n\nI shall look.", **_GEMINI), _secret("CiQB0e2K==", 0, id="tool_1", **_GEMINI)],
            _call("tool_1", _PARIS),
            _call("tool_2", _KOELN, 1),
        ),
    ),
    "gemini, secret without an id": (
        GEMINI,
        _answer([_text("I shall look.", **_GEMINI), _secret("CiQB0e2K==", 0, **_GEMINI)], _call("tool_1", _PARIS)),
    ),
    "unknown things": (
        "x-ai/grok-4",
        _answer(
            [
                _text("Plain.", format=None, id=None),
                {"type": "reasoning.future", "blob": {"a": [1, None]}, "index": 0, "id": "rs_future"},
                {"type": "reasoning.future", "blob": {"b": "2"}, "index": 0, "id": "rs_future"},
                _secret("opaque", 0, id="x-1", format="made-up-v9", extra={"deep": [True]}),
            ],
            _call("call-with/odd:id", _PARIS),
            content="I look.",
        ),
    ),
}


def by_words(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]


def whole(message: Message) -> Message:
    """An unstreamed body."""
    choice = {"index": 0, "finish_reason": "tool_calls", "native_finish_reason": "tool_calls", "message": message}
    return {"id": "gen-1", "object": "chat.completion", "model": "m", "provider": "P", "choices": [choice]}


def events(message: Message, cut: Cut = by_words, at_once: int = 1) -> list[Any]:
    """The same answer as the events of a stream.

    Args:
        message: the whole answer.
        cut: divides a text into its pieces.
        at_once: how many pieces of thought one event brings.
    """
    deltas = [*_thoughts(message, cut, at_once), *_said(message, cut), *_calls(message, cut)]
    return [
        *[_chunk(delta) for delta in deltas],
        _chunk({"role": "assistant", "content": ""}, "tool_calls"),
        "data: [DONE]",
    ]


def _chunk(delta: Message, finish_reason: str | None = None) -> Message:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "native_finish_reason": finish_reason}
    return {"id": "gen-1", "object": "chat.completion.chunk", "model": "m", "provider": "P", "choices": [choice]}


def _thoughts(message: Message, cut: Cut, at_once: int) -> Iterator[Message]:
    pieces = [piece for item in message["reasoning_details"] for piece in _pieces(item, cut)]
    for at in range(0, len(pieces), at_once):
        group = pieces[at : at + at_once]
        readable = "".join(text or "" for text, _ in group)
        details = [piece for _, piece in group]
        yield {"role": "assistant", "content": "", "reasoning": readable or None, "reasoning_details": details}


def _pieces(item: Message, cut: Cut) -> Iterator[tuple[str | None, Message]]:
    """A text opens empty, grows, and gets its signature alone; everything else comes whole."""
    grows = _GROWING.get(item["type"])
    if grows is None:
        yield None, item
        return
    common = {key: value for key, value in item.items() if key not in (grows, "signature")}
    seal = {"signature": item["signature"]} if "signature" in item else {}
    yield "", {**common, grows: "", **dict.fromkeys(seal, "")}
    for text in cut(item[grows]):
        yield text, {**common, grows: text}
    if seal:
        yield None, {**common, **seal}


def _said(message: Message, cut: Cut) -> Iterator[Message]:
    for text in cut(message["content"]) if message["content"] else ():
        yield {"role": "assistant", "content": text}


def _calls(message: Message, cut: Cut) -> Iterator[Message]:
    for call in message["tool_calls"]:
        function = call["function"]
        yield {"content": None, "tool_calls": [{**call, "function": {**function, "arguments": ""}}]}
        for text in cut(function["arguments"]):
            yield {"content": None, "tool_calls": [{"index": call["index"], "function": {"arguments": text}}]}


def replayed(message: Message) -> Message:
    """What the next request must say: the answer as it was, without what belongs to answers only."""
    calls = [{key: value for key, value in call.items() if key != "index"} for call in message["tool_calls"]]
    kept = {key: message[key] for key in ("role", "content", "reasoning_details")}
    return {**kept, "tool_calls": calls}
