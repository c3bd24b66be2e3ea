"""What an answer says, read from the wire by a reader of our own: the oracle that the adapters are held to.

It is plain where the package is clever: it knows the shapes that were recorded, no more. Nothing here is shared with
the package.
"""

from __future__ import annotations

import json
from typing import Any

Facts = dict[str, Any]
Json = dict[str, Any]

HEAD = ("id", "model", "provider", "created", "service_tier", "system_fingerprint")


def known(facts: Facts) -> Facts:
    """Only what there is: null, and an empty text or list, say nothing."""
    return {name: value for name, value in facts.items() if value is not None and value != "" and value != []}


def facts(body: Json) -> Facts:
    """The facts of an unstreamed answer, under one name each; absent when unknown."""
    choice = body["choices"][0]
    message, usage = choice["message"], body.get("usage") or {}
    details = message.get("reasoning_details") or []
    return known(
        {
            **{name: body.get(name) for name in HEAD},
            "text": message.get("content"),
            "reasoning": message.get("reasoning") or "".join(detail_text(item) for item in details),
            "reasoning_details": details,
            "opaque": opaque(details),
            "calls": [call_facts(call) for call in message.get("tool_calls") or []],
            "refusal": message.get("refusal"),
            "images": [image["image_url"]["url"] for image in message.get("images") or []],
            "audio": message.get("audio"),
            "annotations": message.get("annotations"),
            "finish_reason": choice.get("finish_reason"),
            "native_finish_reason": choice.get("native_finish_reason"),
            "logprobs": logprob_facts((choice.get("logprobs") or {}).get("content")),
            **usage_facts(usage),
        }
    )


def detail_text(item: Json) -> str:
    return item.get("text") or item.get("summary") or ""


def opaque(details: list[Json]) -> list[str]:
    """What must survive byte for byte, in order."""
    return [item[key] for item in details for key in ("signature", "data") if item.get(key)]


def call_facts(call: Json) -> tuple[str, str, Any]:
    """Id, name and parsed arguments; their text where it is no JSON object."""
    text = call["function"].get("arguments") or ""
    return call["id"], call["function"]["name"], arguments(text)


def arguments(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    return parsed if isinstance(parsed, dict) else text


def logprob_facts(tokens: list[Json] | None) -> list[tuple[str, float, dict[str, float]]]:
    """Per token: the token, its logprob, and all tokens that were possible."""
    return [(token["token"], token["logprob"], possible(token)) for token in tokens or []]


def possible(token: Json) -> dict[str, float]:
    return {item["token"]: item["logprob"] for item in [*(token.get("top_logprobs") or []), token]}


def usage_facts(usage: Json) -> Facts:
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return {
        **{name: usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        "cached_tokens": prompt.get("cached_tokens"),
        "cache_write_tokens": prompt.get("cache_write_tokens"),
        "reasoning_tokens": completion.get("reasoning_tokens"),
        "cost": usage.get("cost"),
        "cost_details": usage.get("cost_details"),
        "is_byok": usage.get("is_byok"),
        "server_tool_use": usage.get("server_tool_use_details"),
    }


# ----------------------------------------------------------------------------------------------------------- streams


def chunks(stream: str) -> list[Json]:
    """The chunks of an event stream; comments, other fields and ``[DONE]`` are none."""
    data = [event.removeprefix("data: ") for event in stream.split("\n\n") if event.startswith("data: {")]
    return [json.loads(text) for text in data]


def folded(pieces: list[Json]) -> Json:
    """The body that the same answer has unstreamed."""
    choices = [choice for piece in pieces for choice in piece["choices"]]
    deltas = [choice["delta"] for choice in choices]
    top = {name: last(piece.get(name) for piece in pieces) for name in (*HEAD, "usage")}
    choice = {
        "index": 0,
        "message": message(deltas),
        "finish_reason": first(choice.get("finish_reason") for choice in choices),
        "native_finish_reason": last(choice.get("native_finish_reason") for choice in choices),
        "logprobs": logprobs(choices),
    }
    return {**top, "object": "chat.completion", "choices": [choice]}


def message(deltas: list[Json]) -> Json:
    """The deltas as one message. A key that no delta had is absent."""
    made: Json = {"role": "assistant"}
    for key in ("content", "reasoning", "refusal"):
        if any(key in delta for delta in deltas):
            made[key] = "".join(delta.get(key) or "" for delta in deltas) or first(delta.get(key) for delta in deltas)
    for key, join in (("tool_calls", joined_calls), ("reasoning_details", joined_details), ("annotations", list)):
        if any(key in delta for delta in deltas):
            made[key] = join([item for delta in deltas for item in delta.get(key) or []])
    return made


def first(values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def last(values: Any) -> Any:
    return first(reversed(list(values)))


def logprobs(choices: list[Json]) -> Json | None:
    found = [choice["logprobs"] for choice in choices if choice.get("logprobs")]
    return {key: joined(item[key] for item in found if key in item) for item in found for key in item} or None


def joined(lists: Any) -> list[Json] | None:
    """One list of all; None where all are null."""
    there = [items for items in lists if items is not None]
    return [item for items in there for item in items] if there else None


def joined_calls(pieces: list[Json]) -> list[Json]:
    """Pieces of one index are one call: id and name come once, arguments in pieces."""
    calls: dict[int, Json] = {}
    for piece in pieces:
        call = calls.setdefault(piece["index"], {"index": piece["index"], "type": "function", "function": {}})
        function = piece.get("function") or {}
        call.setdefault("id", piece.get("id"))
        call["function"].setdefault("name", function.get("name"))
        call["function"]["arguments"] = call["function"].get("arguments", "") + (function.get("arguments") or "")
    return list(calls.values())


def joined_details(fragments: list[Json]) -> list[Json]:
    """Texts and summaries of one type and index grow; an encrypted item is whole."""
    items: list[Json] = []
    for fragment in fragments:
        item = next((item for item in items if continues(item, fragment)), None)
        if item is None:
            items.append(dict(fragment))
            continue
        for key, value in fragment.items():
            grows = key in ("text", "summary") and value is not None
            item[key] = (item.get(key) or "") + value if grows else item.get(key) or value
    return items


def continues(item: Json, fragment: Json) -> bool:
    same = all(item.get(key) == fragment.get(key) for key in ("type", "index"))
    return same and fragment["type"] in ("reasoning.text", "reasoning.summary")


def unfolded(body: Json) -> list[Json]:
    """An unstreamed answer as the chunks of a stream: the message in one, then the end as it is sent today."""
    choice = body["choices"][0]
    head = {**{name: body[name] for name in HEAD if name in body}, "object": "chat.completion.chunk"}
    reasons = {name: choice.get(name) for name in ("finish_reason", "native_finish_reason")}
    said = {"index": 0, "delta": choice["message"], "finish_reason": None, "logprobs": choice.get("logprobs")}
    end = {"index": 0, "delta": {"role": "assistant", "content": ""}, **reasons}
    usage = {"usage": body["usage"]} if "usage" in body else {}
    return [{**head, "choices": [said]}, {**head, "choices": [end]}, {**head, "choices": [end], **usage}]


def as_stream(pieces: list[Json]) -> bytes:
    events = [*(json.dumps(piece, ensure_ascii=False) for piece in pieces), "[DONE]"]
    return "".join(f"data: {event}\n\n" for event in events).encode()
