"""Token counts and money, as OpenRouter reports them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from . import tokens
from .market import Endpoint
from .reply import Body, Reply, arguments_text
from .routing import Route

__all__ = ["of_chat"]

_MONEY = ("cost", "cost_details")


def of_chat(body: Body, reply: Reply, found: Route, cached: tuple[int, int] = (0, 0)) -> Body:
    """The ``usage`` of a chat answer; what the reply's author gave wins over what was computed.

    Args:
        body: the request.
        reply: the answer.
        found: what answers, at which price.
        cached: how many of the prompt's tokens are read from the cache, and how many are written to it.
    """
    prompt, completion = tokens.of_request(body), _completion_tokens(reply)
    thought = tokens.count(reply.reasoning) or _hidden_tokens(body, found)
    read, written = cached
    given = reply.usage or {}
    usage: Body = {
        "prompt_tokens": prompt,
        "completion_tokens": completion + thought,
        "total_tokens": prompt + completion + thought,
        "cost": None,
        "is_byok": False,
        "prompt_tokens_details": _shares(
            given.get("prompt_tokens"),
            prompt,
            cached_tokens=read,
            cache_write_tokens=written,
            audio_tokens=tokens.of_attachments(body, "input_audio"),
            video_tokens=tokens.of_attachments(body, "video_url"),
        ),
        "cost_details": {},
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "image_tokens": 0,
            "audio_tokens": _spoken_tokens(reply),
        },
    }
    usage = merged(usage, {key: value for key, value in given.items() if key not in _MONEY})
    usage["total_tokens"] = (usage["prompt_tokens"] or 0) + (usage["completion_tokens"] or 0)
    money = costs(usage["prompt_tokens"] or 0, usage["completion_tokens"] or 0, found.endpoint)
    charged = {} if reply.cost is None else {"cost": reply.cost}
    return merged({**usage, **money}, {**charged, **given})


def _shares(given: int | None, counted: int, **parts: int) -> Body:
    """Parts of a prompt, as large as they are in the tokens of who gave their number."""
    return {name: part if given is None else part * given // counted for name, part in parts.items()}


def _completion_tokens(reply: Reply) -> int:
    calls = sum(tokens.count(arguments_text(call)) for call in reply.tool_calls)
    return tokens.count(reply.text) + tokens.count(reply.refusal) + calls + _spoken_tokens(reply)


def _spoken_tokens(reply: Reply) -> int:
    return tokens.count((reply.audio or {}).get("transcript"))


def _hidden_tokens(body: Body, found: Route) -> int:
    """Thinking that was asked to be left out is billed nevertheless."""
    hidden = isinstance(body.get("reasoning"), dict) and body["reasoning"].get("exclude")
    return 8 if hidden and found.model.supports("reasoning") else 0


def costs(prompt_tokens: int, completion_tokens: int, endpoint: Endpoint) -> Body:
    """What an endpoint charges."""
    prompt = prompt_tokens * Decimal(endpoint.prompt)
    completion = completion_tokens * Decimal(endpoint.completion)
    return {
        "cost": number(prompt + completion),
        "cost_details": {
            "upstream_inference_cost": number(prompt + completion),
            "upstream_inference_prompt_cost": number(prompt),
            "upstream_inference_completions_cost": number(completion),
        },
    }


def number(money: Decimal) -> int | float:
    """Money as the wire has it: a JSON number, where nothing is a plain 0."""
    return float(money) if money else 0


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Body:
    """One mapping laid over another, deeply."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result
