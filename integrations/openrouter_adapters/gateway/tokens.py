"""Text in pieces of about a token, so that counting, cutting and streaming agree with each other."""

import re
from typing import Any

__all__: list[str] = []

_PIECE = re.compile(r"\s?[^\W_]{1,7}|\s?[^\w\s]|\s?_+|\s+")
_PER_MESSAGE = 4
_PER_ATTACHMENT = 85


def pieces(text: str) -> list[str]:
    """The text, split so that joining the pieces gives it back."""
    return _PIECE.findall(text)


def count(text: str | None) -> int:
    """How many tokens a text has."""
    return len(pieces(text)) if text else 0


def cut(text: str, limit: int) -> str:
    """The first tokens of a text."""
    return "".join(pieces(text)[:limit])


def groups(text: str, size: int) -> list[str]:
    """The text in chunks of so many tokens."""
    parts = pieces(text)
    return ["".join(parts[at : at + size]) for at in range(0, len(parts), size)]


def of_request(body: dict[str, Any]) -> int:
    """How many tokens a chat request has."""
    tools = count(str(body["tools"])) if body.get("tools") else 0
    return tools + sum(of_message(message) for message in body["messages"])


def of_message(message: dict[str, Any]) -> int:
    """How many tokens a message has."""
    calls = sum(count(str(call.get("function"))) for call in message.get("tool_calls") or ())
    return _PER_MESSAGE + calls + of_content(message.get("content"))


def of_content(content: Any) -> int:
    """How many tokens a message's content has, whichever form it has."""
    if not isinstance(content, list):
        return count(str(content)) if content else 0
    return sum(count(str(part.get("text"))) if "text" in part else _PER_ATTACHMENT for part in content)


def of_attachments(body: dict[str, Any], kind: str) -> int:
    """How many tokens a chat request's attachments of one kind have."""
    contents = [message.get("content") for message in body["messages"]]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return sum(_PER_ATTACHMENT for part in parts if isinstance(part, dict) and part.get("type") == kind)
