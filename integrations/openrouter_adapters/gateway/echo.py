"""The answer that nobody scripted: an echo that follows the request's tools, schema, limits and modalities."""

import json
import re
from collections.abc import Sequence
from typing import Any

from .reply import Body, Reply
from .schema import Words, instance, quotations

__all__ = ["respond"]

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_CITED = {"url": "https://example.com", "title": "Example Domain", "start_index": 0, "end_index": 0}
_CITATION = {"type": "url_citation", "url_citation": _CITED}
_SOUND = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
_KEYS = re.compile(r"\b(keys?|fields?|propert(y|ies))\b", re.IGNORECASE)
_LONG_WORD = re.compile(r"[^\W_]{4,}")


def respond(body: Body) -> Reply:
    """Answer a chat request sensibly, without a model.

    Tools are called when ``tool_choice`` demands it, or when the user's words name them; a tool's result is
    reported; a JSON schema is filled; everything else is echoed.
    """
    asked = last_user_text(body)
    calls = _calls(body, asked)
    return Reply(
        text=None if calls else _text(body, asked),
        tool_calls=calls,
        reasoning=f"The user said: {asked}" if wants_reasoning(body) else None,
        images=[PIXEL] if "image" in (body.get("modalities") or ()) else (),
        audio=_audio(asked) if "audio" in (body.get("modalities") or ()) else None,
        annotations=[_CITATION] if _searches(body) else (),
        usage={"server_tool_use_details": {"web_search_requests": 1}} if _searches(body) else None,
    )


def last_user_text(body: Body) -> str:
    """What the user said last."""
    messages = [m for m in body["messages"] if isinstance(m, dict) and m.get("role") == "user"]
    return text_of(messages[-1].get("content")) if messages else ""


def text_of(content: Any) -> str:
    """The text of a message's content, whichever form it has."""
    if isinstance(content, list):
        return "\n".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return content if isinstance(content, str) else ""


def wants_reasoning(body: Body) -> bool:
    """Whether the request asks for visible reasoning."""
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict):
        off = reasoning.get("exclude") or reasoning.get("effort") == "none" or reasoning.get("enabled") is False
        return not off
    return bool(body.get("include_reasoning")) or body.get("reasoning_effort") not in (None, "none")


def output_limit(body: Body) -> int | None:
    """How many tokens an answer may have; None where the request does not say."""
    limit: int | None = body.get("max_completion_tokens") or body.get("max_tokens")
    return limit


def stop_words(body: Body) -> list[str]:
    """What ends an answer before it is said."""
    stop = body.get("stop") or []
    return [stop] if isinstance(stop, str) else stop


def _text(body: Body, asked: str) -> str:
    results = _results(body)
    said = " ".join(results) if results else f"You said: {asked}"
    format_ = body.get("response_format") or {}
    match format_.get("type"):
        case "json_schema":
            schema = format_["json_schema"].get("schema") or {}
            return json.dumps(instance(schema, Words(" ".join(results) or asked)), ensure_ascii=False)
        case "json_object":
            return json.dumps(dict.fromkeys(_keys(asked), said), ensure_ascii=False)
    return said


def _keys(asked: str) -> list[str]:
    """The keys of the object that the user asks for: the quoted words, where keys are spoken of."""
    words = [word for word in quotations(asked) if word.isidentifier()]
    return words if words and _KEYS.search(asked) else ["answer"]


def _results(body: Body) -> list[str]:
    """One sentence for each tool result since the user spoke last."""
    return [f"{name} says: {text}" for name, text in answered(body)]


def answered(body: Body) -> list[tuple[str, str]]:
    """The tools that gave a result since the user spoke last, and what they said."""
    names: dict[str, str] = {}
    results: list[tuple[str, str]] = []
    for message in body["messages"]:
        if message.get("role") == "user":
            results = []
        for call in message.get("tool_calls") or ():
            names[call.get("id")] = call["function"]["name"]
        if message.get("role") == "tool":
            name = names.get(message.get("tool_call_id", ""), "the tool")
            results.append((name, text_of(message.get("content"))))
    return results


def _calls(body: Body, asked: str) -> list[tuple[str, Any]]:
    words = Words(asked)
    return [(tool["name"], instance(tool.get("parameters") or {"type": "object"}, words)) for tool in to_call(body)]


def to_call(body: Body) -> list[Body]:
    """The functions to call: one that ``tool_choice`` demands, or those that the user's words name."""
    functions = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    choice, done = body.get("tool_choice") or "auto", [name for name, _ in answered(body)]
    chosen = _chosen(functions, choice, last_user_text(body), done)
    return chosen[:1] if body.get("parallel_tool_calls") is False else chosen


def _chosen(tools: list[Body], choice: Any, asked: str, done: list[str]) -> list[Body]:
    """The tools to call. Where one must be, it is one that has no result yet: an agent's loop comes to an end."""
    if isinstance(choice, dict):
        return [tool for tool in tools if tool["name"] == choice.get("function", {}).get("name")]
    named = [tool for tool in tools if _is_named(tool, asked)]
    if choice == "required":
        fresh = [tool for tool in tools if tool["name"] not in done]
        return [tool for tool in fresh if tool in named] or fresh[:1] or tools[:1]
    return [] if done or choice == "none" else named


def _is_named(tool: Body, asked: str) -> bool:
    """Whether the user's words name a tool: all of its name, or a long word of it."""
    said = asked.lower()
    name = tool["name"].lower()
    return name in said or any(word in said for word in _LONG_WORD.findall(name.replace("_", " ")))


def _audio(asked: str) -> Body:
    return {"id": "audio_local", "data": _SOUND, "transcript": f"You said: {asked}", "expires_at": 1_900_000_000}


def _searches(body: Body) -> bool:
    wanted: Sequence[Any] = [*(body.get("tools") or ()), *(body.get("plugins") or ())]
    return any(item.get("type") == "openrouter:web_search" or item.get("id") == "web" for item in wanted)
