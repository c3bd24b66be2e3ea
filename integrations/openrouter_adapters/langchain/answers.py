"""What core says of an answer, in LangChain's words: `Reply` -> messages, `Delta` -> chunks. Pure.

The sum of a stream's chunks is the message that the same answer gives unstreamed. Core's merge concatenates texts, adds
up numbers and joins list items of equal ``index``; so text, reasoning, refusal and audio go out in pieces, and
everything else stands on exactly one chunk, the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCallChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.stream import Delta
from openrouter_adapters.core.tool_calls import ToolCallDelta
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import dicts_of, known, money_of
from openrouter_adapters.langchain.chunks import PROVIDER, AnswerChunk, MakeChunk, parsed_call
from openrouter_adapters.langchain.messages import ARGUMENT_TEXTS

_COST_PIECES = {"input_cost": "prompt", "output_cost": "completions"}
_AUDIO_PIECES = ("data", "transcript")  # what grows piece by piece


def chat_result(reply: Reply, asked: Sequence[str], *, cost_in_usage: bool = False) -> ChatResult:
    """The result of a call that did not stream: one generation per choice.

    Args:
        reply: the answer; its first choice has the usage, which is the whole request's.
        asked: the models of the request, in order.
        cost_in_usage: whether ``usage_metadata`` has the cost too.
    """
    others = range(1, len(dicts_of(reply.body.get("choices"))))
    replies = [reply, *(replace(Reply.from_body(reply.body, choice), usage=None) for choice in others)]
    return ChatResult(
        generations=[
            ChatGeneration(message=answer(r, asked, cost_in_usage), generation_info=_info(r)) for r in replies
        ],
        llm_output=known(model_name=reply.model, token_usage=_token_usage(reply)),
    )


def answer(reply: Reply, asked: Sequence[str], cost_in_usage: bool = False) -> AIMessage:
    """The message of a whole answer; see `chat_result`."""
    calls = [parsed_call({"id": c.id, "name": c.name or None, "args": c.arguments}, c.args) for c in reply.tool_calls]
    return AIMessage(
        content=reply.text,
        additional_kwargs=known(
            reasoning_content=reply.reasoning or None, refusal=reply.refusal, audio=reply.audio, **_whole_only(reply)
        ),
        response_metadata=response_metadata(reply, asked),
        tool_calls=[call for call in calls if call["type"] == "tool_call"],
        invalid_tool_calls=[call for call in calls if call["type"] == "invalid_tool_call"],
        usage_metadata=usage_metadata(reply.usage, cost_in_usage=cost_in_usage),
    )


def _whole_only(reply: Reply) -> dict[str, Any]:
    """What ``additional_kwargs`` shows of an answer only when it is whole: core's merge would damage pieces of it."""
    return known(
        reasoning_details=reply.reasoning_details,
        images=reply.images or None,
        annotations=reply.annotations or None,
        **{ARGUMENT_TEXTS: {call.id: call.arguments for call in reply.tool_calls} or None},
    )


def response_metadata(reply: Reply, asked: Sequence[str]) -> dict[str, Any]:
    """What an answer says about itself.

    Returns:
        ``model_provider``, ``model_name`` (the model that answered), ``logprobs``, ``token_usage`` (the usage as on the
        wire, which counts more kinds of tokens than ``usage_metadata``), and all of `Reply.metadata`.
    """
    facts, usage = reply.metadata(asked), _token_usage(reply)
    return known(model_provider=PROVIDER, model_name=reply.model, **facts, logprobs=reply.logprobs, token_usage=usage)


def _token_usage(reply: Reply) -> dict[str, Any] | None:
    return dict(reply.usage.wire) or None if reply.usage else None


def _info(reply: Reply) -> dict[str, Any] | None:
    return known(finish_reason=reply.finish_reason, model_name=reply.model, logprobs=reply.logprobs) or None


def usage_metadata(usage: Usage | None, *, cost_in_usage: bool = False) -> UsageMetadata | None:
    """Token counts, as LangChain wants them: all three totals, details where they are known.

    Cost is in ``response_metadata``. With ``cost_in_usage`` it is also here, as ``total_cost`` (float, USD), where
    LangSmith looks for it, with the ``input_cost`` and ``output_cost`` that OpenRouter told; fees of searches and tools
    are in neither. Core's sums fail on any float, so only when asked for.
    """
    if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return None
    prompt, completion = max(usage.prompt_tokens or 0, 0), max(usage.completion_tokens or 0, 0)
    made = UsageMetadata(
        input_tokens=prompt,
        output_tokens=completion,
        total_tokens=prompt + completion if usage.total_tokens is None else usage.total_tokens,
    )
    read, written, heard = usage.cached_tokens, usage.cache_write_tokens, usage.audio_input_tokens
    if details := known(audio=heard, cache_creation=written, cache_read=read):
        made["input_token_details"] = cast("InputTokenDetails", details)
    if details := known(audio=usage.audio_output_tokens, reasoning=usage.reasoning_tokens):
        made["output_token_details"] = cast("OutputTokenDetails", details)
    cost = usage.cost.total if cost_in_usage else None
    if cost is None:
        return made
    return cast("UsageMetadata", {**made, "total_cost": float(cost), **_cost_pieces(usage.cost.details)})


def _cost_pieces(details: Mapping[str, Any]) -> dict[str, Any]:
    """What prompt and answer cost (floats, USD), under LangSmith's names."""
    told = {name: money_of(details.get(f"upstream_inference_{part}_cost")) for name, part in _COST_PIECES.items()}
    return {name: float(amount) for name, amount in told.items() if amount is not None}


# ------------------------------------------------------------------------------------------------------- streams


def answer_chunk(delta: Delta, make: MakeChunk) -> ChatGenerationChunk:
    """The chunk for what one piece of the stream added; the hot path."""
    text, reasoning, calls, refusal, _, _, audio, _ = delta
    if not (reasoning or calls or refusal or audio):
        return make(text, {}, [])
    extra: dict[str, Any] = {}
    if reasoning:
        extra["reasoning_content"] = reasoning
    if refusal:
        extra["refusal"] = refusal
    if audio and (pieces := {key: audio[key] for key in _AUDIO_PIECES if isinstance(audio.get(key), str)}):
        extra["audio"] = pieces
    return make(text, extra, _pieces(calls) if calls else [])


def _pieces(calls: Sequence[ToolCallDelta]) -> list[ToolCallChunk]:
    """One piece per call: core merges pieces of different chunks, not those within one."""
    made: dict[int, ToolCallChunk] = {}
    for call in calls:
        text, call_id, name = call.arguments, call.id, call.name
        if call.index in made:
            before = made[call.index]
            text, call_id, name = f"{before['args']}{text}", before["id"] or call_id, before["name"] or name
        made[call.index] = {"name": name, "args": text, "id": call_id, "index": call.index, "type": "tool_call_chunk"}
    return [*made.values()]


def last_chunk(
    reply: Reply, missing_ids: Sequence[ToolCallDelta], asked: Sequence[str], *, cost_in_usage: bool = False
) -> ChatGenerationChunk:
    """The last chunk: everything that is said once.

    Args:
        reply: the whole answer.
        missing_ids: ids for tool calls that came without one.
        asked: the models of the request, in order.
        cost_in_usage: whether ``usage_metadata`` has the cost too.
    """
    audio = {key: value for key, value in (reply.audio or {}).items() if key not in _AUDIO_PIECES}
    message = AnswerChunk(
        content="",
        additional_kwargs=_whole_only(reply) | known(audio=audio or None),
        response_metadata=response_metadata(reply, asked),
        tool_call_chunks=_pieces(missing_ids),
        usage_metadata=usage_metadata(reply.usage, cost_in_usage=cost_in_usage),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message, generation_info=_info(reply))
