"""What each example must put on the wire: a view of the bodies it sent, and how that view must look."""

from collections.abc import Callable
from typing import Any, TypeAlias

from openrouter_adapters.gateway import LocalGateway

Bodies: TypeAlias = list[dict[str, Any]]
View: TypeAlias = Callable[[Bodies], Any]

MINI, CLAUDE, LLAMA = "openai/gpt-4o-mini", "anthropic/claude-haiku-4.5", "meta-llama/llama-3.3-70b-instruct"
LOOP = ["user", "assistant", "tool", "tool"]
THINKS = {"max_tokens": 1024}
PRESET = "lighthouse-keeper"
PRIVATE = {"only": ["anthropic", "openai", "deepinfra"], "data_collection": "deny"}
CHEAP = {**PRIVATE, "max_price": {"prompt": 0.14, "completion": 0.5}}
WEB = [{"id": "web", "max_results": 3}]
SEARCH = [{"type": "openrouter:web_search", "parameters": {"max_results": 3}}]
SCHEMA = "json_schema"
MEDIA = [["text", "image_url"], ["text", "file"], ["text", "annotations"], ["text"], ["text", "images"]]
PARSED = {"type": "file", "file": {"hash": "5f2c", "name": "log.pdf", "content": [{"type": "text", "text": "..."}]}}


def roles(bodies: Bodies) -> list[list[str]]:
    return [[message["role"] for message in body["messages"]] for body in bodies]


def each(*keys: str) -> View:
    """The same keys of every body, None where one is not sent."""
    return lambda bodies: [tuple(body.get(key) for key in keys) for body in bodies]


def kept(bodies: Bodies) -> list[list[str]]:
    """The kinds of thoughts that go back with each request."""
    turns = [[m.get("reasoning_details", []) for m in body["messages"]] for body in bodies]
    return [["signed" if "signature" in item else "bare" for turn in request for item in turn] for request in turns]


def thought(bodies: Bodies) -> list[tuple[Any, list[str]]]:
    """What thinking each request asks for, and what it gives back."""
    return [(body.get("reasoning"), back) for body, back in zip(bodies, kept(bodies), strict=True)]


def prepare(gateway: LocalGateway) -> None:
    """What a model may say and the gateway does not by itself: a parsed file, and an agent's call of its tools."""
    gateway.reply("South-west.", match="How was the wind?", annotations=[PARSED])
    both = [("tide", {"harbour": "Ayr"}), ("wind", {"harbour": "Ayr"})]
    gateway.reply(reasoning="Both matter.", tool_calls=both, match="When should I leave Ayr today?")


def marked(bodies: Bodies) -> list[tuple[str, bool]]:
    """Whether the prompt is the same text each time, and its part has a breakpoint."""
    parts = [body["messages"][0]["content"][0] for body in bodies]
    return [(part["text"] == parts[0]["text"], "cache_control" in part) for part in parts]


def media(bodies: Bodies) -> list[list[str]]:
    """The kinds of parts in each last message, and what goes back with an assistant's turn."""
    back = [[key for m in body["messages"] for key in ("annotations", "images") if key in m] for body in bodies]
    return [_parts(body["messages"][-1]) + keys for body, keys in zip(bodies, back, strict=True)]


def _parts(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    return ["text"] if isinstance(content, str) else [part["type"] for part in content]


def shapes(bodies: Bodies) -> list[str]:
    """How each request asks for an object."""
    forms = [(body.get("response_format", {}).get("type"), body.get("tool_choice")) for body in bodies]
    return [form or f"tool {choice['function']['name']}" for form, choice in forms]


def retrieval(bodies: Bodies) -> list[str]:
    """The steps of a retrieval, and whether the chat was given numbered notes."""
    kinds = ["embed" if "input" in body else "rank" if "documents" in body else "chat" for body in bodies]
    notes = str(bodies[-1]["messages"])
    return [*kinds, *(mark for mark in ("[1]", "[2]", "[3]", "Source 1", "Source 2", "Source 3") if mark in notes)]


SENT: dict[str, tuple[View, Any]] = {
    "agent_langgraph.py": (kept, [[], ["signed"], ["signed"] * 2]),
    "agent_llamaindex.py": (kept, [[], ["signed"], ["signed"] * 2]),
    "batch_200.py": (lambda bodies: len({str(body["messages"]) for body in bodies}), 400),
    "budget.py": (lambda bodies: ["tools" in body for body in bodies], [False, False, False, True]),
    "chat.py": (lambda bodies: [len(body["messages"]) for body in bodies], [2, 4, 2, 4]),
    "compare_models.py": (
        lambda bodies: sorted(each("model", "max_tokens")(bodies)),
        [(CLAUDE, 200), (LLAMA, 200), (MINI, 200)],
    ),
    "fallbacks_and_providers.py": (
        each("models", "provider"),
        [
            (None, None),
            (None, {"order": ["google-vertex", "anthropic"]}),
            ([MINI, LLAMA], PRIVATE),
            ([MINI, LLAMA], CHEAP),
            (None, {"only": ["groq"]}),
            (None, {"only": ["groq"]}),
            (None, None),
            ([MINI, LLAMA], PRIVATE),
        ],
    ),
    "multimodal.py": (media, MEDIA),
    "multimodal_llamaindex.py": (media, MEDIA),
    "presets.py": (
        each("model", "preset"),
        [
            (f"@preset/{PRESET}", None),
            (f"{MINI}@preset/{PRESET}", None),
            (MINI, PRESET),
            (f"@preset/{PRESET}", None),
            (MINI, PRESET),
        ],
    ),
    "prompt_caching.py": (marked, [(True, False), (True, True), (True, True), (True, True)]),
    "rag_langchain.py": (retrieval, ["embed", "embed", "rank", "chat", "[1]", "[2]"]),
    "rag_with_citations.py": (retrieval, ["embed", "embed", "rank", "chat", "[1]", "[2]", "Source 1", "Source 2"]),
    "reasoning.py": (thought, [(THINKS, []), (THINKS, ["signed"])] * 2),
    "stream.py": (each("stream"), [(True,)] * 3),
    "structured_llamaindex.py": (shapes, [SCHEMA, "tool Lighthouse", *[SCHEMA] * 4]),
    "structured_output.py": (shapes, ["tool Lighthouse", *[SCHEMA] * 4]),
    "tools.py": (roles, [["user"], LOOP] * 2),
    "web_search.py": (each("plugins", "tools"), [(WEB, None), (None, SEARCH)] * 2),
}
