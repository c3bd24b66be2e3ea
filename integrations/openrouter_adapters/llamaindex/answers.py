"""A finished `Reply` as LlamaIndex's ChatResponse and CompletionResponse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    CitationBlock,
    CompletionResponse,
    ContentBlock,
    ImageBlock,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic import ValidationError

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.tool_calls import ToolCall
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import dict_of, dicts_of, int_of, known, text_of
from openrouter_adapters.llamaindex.raw import raw


class Asked(NamedTuple):
    """What of a request shapes its answer.

    Attributes:
        models: the models asked for, in order.
        audio_format: the format of sound that was asked for; the wire does not repeat it.
        one_call: whether only the first tool call is wanted, whatever the model says.
    """

    models: tuple[str, ...] = ()
    audio_format: str | None = None
    one_call: bool = False

    @classmethod
    def of(cls, request: Request, *, one_call: bool) -> Asked:
        """What a request asked for."""
        return cls(request.asked, text_of(dict_of(request.body.get("audio")).get("format")), one_call)


def chat_response(reply: Reply, asked: Asked, delta: str | None = None) -> ChatResponse:
    """The whole answer.

    Args:
        reply: the answer as core reads it.
        asked: what was asked for.
        delta: "" for the last item of a stream; None for an answer that was not streamed.
    """
    calls = reply.tool_calls[:1] if asked.one_call else reply.tool_calls
    message = ChatMessage(
        role=MessageRole.ASSISTANT,
        blocks=_blocks(reply, calls, asked.audio_format),
        additional_kwargs=known(tool_calls=[call.to_wire() for call in calls] or None),
    )
    return ChatResponse(
        message=message,
        delta=delta,
        raw=raw(reply.body),
        logprobs=logprob_rows(reply.logprobs),
        additional_kwargs=_response_kwargs(reply, asked),
    )


def completion_response(response: ChatResponse) -> CompletionResponse:
    """The same answer, or item of a stream, as a completion."""
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs=response.additional_kwargs,
    )


# -------------------------------------------------------------------------------------------------------- blocks


def _blocks(reply: Reply, calls: Iterable[ToolCall], audio_format: str | None) -> list[ContentBlock]:
    """Thinking, exactly one text, pictures, sound, citations, tool calls: in this order."""
    return [
        *_thinking(reply),
        TextBlock(text=reply.text or spoken(reply)),
        *image_blocks(reply.images),
        *_audio(reply.audio, audio_format),
        *citation_blocks(reply.annotations),
        *(call_block(call) for call in calls),
    ]


def _thinking(reply: Reply) -> list[ThinkingBlock]:
    """The reasoning, with its details whole, since they must go back unchanged; beside them, files that were parsed.

    An empty list of details is kept where it matters: beside thoughts, and on a turn that calls tools, whose replay
    some models refuse without it. A parsed file can be of any size, and this is the one place in a message that
    LlamaIndex's memories do not count and its prompts do not show.
    """
    details, files = reply.reasoning_details, [note for note in reply.annotations if note.get("type") == "file"]
    thought = bool(reply.reasoning or details or (details is not None and reply.tool_calls))
    if not thought and not files:
        return []
    information = known(reasoning_details=details if thought else None, annotations=files or None)
    tokens = (reply.usage.reasoning_tokens if reply.usage else None) or None
    return [ThinkingBlock(content=reply.reasoning or None, num_tokens=tokens, additional_information=information)]


def image_blocks(images: Iterable[Mapping[str, Any]]) -> list[ImageBlock]:
    """Generated pictures, by their (``data:``) URLs; what is no URL is left to ``raw``."""
    addresses = (text_of(dict_of(image.get("image_url")).get("url")) for image in images)
    return [block for url in addresses if url and (block := _image(url))]


def _image(url: str) -> ImageBlock | None:
    try:
        block = ImageBlock(url=url)
    except ValidationError:
        return None
    block.url = url  # as on the wire: the block's own validation respells some addresses
    return block


def citation_blocks(annotations: Iterable[Mapping[str, Any]]) -> list[CitationBlock]:
    """The web pages that were cited, as ``pydantic_ai.test_openrouter_web_search_annotations_stream`` has them."""
    cited = (dict_of(note.get("url_citation")) for note in annotations)
    return [_citation(page) for page in cited if text_of(page.get("url"))]


def _citation(page: Mapping[str, Any]) -> CitationBlock:
    return CitationBlock(
        cited_content=TextBlock(text=text_of(page.get("content")) or ""),
        source=page["url"],
        title=text_of(page.get("title")) or "",
        additional_location_info=known(**{key: int_of(page.get(key)) for key in ("start_index", "end_index")}),
    )


def spoken(reply: Reply) -> str:
    """The words of generated sound: the text of an answer that has no other.

    So a conversation keeps them: sound itself cannot be sent back, and LlamaIndex's memories count a message's
    ``additional_kwargs``, so they stand in no second place of the message.
    """
    return text_of((reply.audio or {}).get("transcript")) or ""


def _audio(audio: Mapping[str, Any] | None, audio_format: str | None) -> list[AudioBlock]:
    data = text_of((audio or {}).get("data"))
    return [AudioBlock(audio=data.encode("ascii", "replace"), format=audio_format)] if data else []


def call_block(call: ToolCall) -> ToolCallBlock:
    """A tool call; the raw text of its arguments when they are cut off or no JSON object."""
    kwargs = call.arguments if call.args is None else call.args
    return ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=kwargs)


# ------------------------------------------------------------------------------------------- beside the message


def _response_kwargs(reply: Reply, asked: Asked) -> dict[str, Any]:
    """Tokens, cost, who answered, and what has no block of its own; absent when unknown."""
    heard = {key: value for key, value in (reply.audio or {}).items() if key != "data"}
    return {
        **_counts(reply.usage),
        **known(model=reply.model),
        **reply.metadata(asked.models),
        **known(annotations=reply.annotations or None, refusal=reply.refusal, audio=heard or None),
    }


def _counts(usage: Usage | None) -> dict[str, int]:
    kinds = ("prompt", "completion", "total", "cached", "cache_write", "reasoning")
    return known(**{f"{kind}_tokens": getattr(usage, f"{kind}_tokens", None) for kind in kinds})


def logprob_rows(logprobs: Mapping[str, Any] | None) -> list[list[LogProb]] | None:
    """One row per token: the token that was chosen, then the alternatives to it. None when there are none."""
    tokens = dicts_of((logprobs or {}).get("content"))
    return [_row(token) for token in tokens] or None


def _row(chosen: Mapping[str, Any]) -> list[LogProb]:
    others = [other for other in dicts_of(chosen.get("top_logprobs")) if other.get("token") != chosen.get("token")]
    return [_logprob(item) for item in (chosen, *others)]


def _logprob(item: Mapping[str, Any]) -> LogProb:
    encoded = item.get("bytes")
    return LogProb(
        token=text_of(item.get("token")) or "",
        logprob=_as_float(item.get("logprob")),
        bytes=[byte for byte in encoded if isinstance(byte, int)] if isinstance(encoded, list) else [],
    )


def _as_float(value: Any) -> float:
    """A number; 0.0 where it is none, or an integer that no float can hold."""
    with suppress(OverflowError):
        return float(value) if isinstance(value, int | float) else 0.0
    return 0.0
