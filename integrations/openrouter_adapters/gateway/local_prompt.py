"""What a small language model is asked: one plain task at a time, with the shape that its answer must have.

So small a model calls no tools by itself. Which tools are called is therefore decided as the echo decides it: those
that ``tool_choice`` demands, or that the user's words name. The model makes their arguments, and cannot make anything
else. Once a tool has answered, its result stands below the question, and the model is asked for text: a loop ends.
"""

from dataclasses import dataclass
from typing import Any

from .echo import answered, text_of, to_call
from .reply import Body

__all__ = ["Task", "tasks"]

_NOTHING: Body = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class Task:
    """One thing that the model is asked.

    Attributes:
        messages: what is asked: plain text by ``system``, ``user`` and ``assistant``.
        format: the ``response_format`` that the answer must have; None for text.
        tool: the tool whose arguments are asked for.
    """

    messages: list[Body]
    format: Body | None = None
    tool: str | None = None


def tasks(body: Body) -> list[Task]:
    """What the model is asked for a request, one after the other."""
    said = _plain(body)
    if called := to_call(body):
        talk = [message for message in said if message["role"] != "system"]
        return [Task([_system(_call_words(tool)), *talk], _arguments(tool), tool["name"]) for tool in called]
    format_ = body.get("response_format") or {}
    if format_.get("type") not in ("json_schema", "json_object"):
        return [Task(said)]
    wanted = format_["json_schema"].get("schema") if format_["type"] == "json_schema" else None
    return [Task(_with_keys(said, wanted), format_) if wanted else Task(said, {"type": "json_object"})]


def _plain(body: Body) -> list[Body]:
    """The conversation in plain text; what tools said stands below the question that they were called for."""
    said: list[Body] = []
    for message in body["messages"]:
        role, text = message["role"], _words(message.get("content"))
        if role in ("system", "developer"):
            said.append(_system(text))
        elif role == "user" or (role == "assistant" and text):
            said.append({"role": role, "content": text})
    if results := answered(body):
        told = "\n".join(f"{name} says: {text}" for name, text in results)
        said.append({"role": "user", "content": f"{_last_question(said)}\n\n{told}\n\nAnswer with what it says."})
    return said


def _last_question(said: list[Body]) -> str:
    """Take the question that the tools were called for out of the conversation."""
    while said:
        if (message := said.pop())["role"] == "user":
            return str(message["content"])
    return ""


def _words(content: Any) -> str:
    """A message's text; of what is no text only its kind."""
    parts = content if isinstance(content, list) else []
    kinds = [f"[{part['type']}]" for part in parts if isinstance(part, dict) and "text" not in part and "type" in part]
    return "\n".join(filter(None, (text_of(content), *kinds)))


def _system(text: str) -> Body:
    return {"role": "system", "content": text}


def _call_words(tool: Body) -> str:
    about = f" ({tool['description']})" if tool.get("description") else ""
    return f"Call the tool {tool['name']}{about}: give its arguments as JSON."


def _arguments(tool: Body) -> Body:
    """A tool's parameters as a format. Others than those that it has cannot be given."""
    schema = {"additionalProperties": False, **(tool.get("parameters") or _NOTHING)}
    return {"type": "json_schema", "json_schema": {"name": tool["name"], "schema": schema}}


def _with_keys(said: list[Body], schema: Body) -> list[Body]:
    """The conversation with the names of what is asked for: a small model is told what to make of them."""
    properties = schema.get("properties")
    keys = ", ".join(properties if isinstance(properties, dict) else ())
    return [_system(f"Answer with a JSON object that has: {keys}."), *said] if keys else said
