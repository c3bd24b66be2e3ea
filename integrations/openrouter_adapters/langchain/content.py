"""`content_blocks`: LangChain's standard blocks of an OpenRouter answer, whole or streamed.

For messages with ``response_metadata["model_provider"] == "openrouter"``. Messages of other packages that use the same
provider name are read as well: whatever is missing is left out, list content keeps the blocks it has.

Blocks of chunks carry an ``index`` of their own kind (``lc_rs_0`` reasoning, ``lc_txt_0`` text, ``lc_tc_0`` the first
tool call ...): core merges blocks of equal index, and without one it would fuse a tool call into the text before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.content import ContentBlock

from openrouter_adapters.core.tool_calls import parse_args
from openrouter_adapters.core.wire import dict_of, dicts_of, known, text_of
from openrouter_adapters.langchain.chunks import PROVIDER
from openrouter_adapters.langchain.messages import ARGUMENT_TEXTS

Block = dict[str, Any]
Named = tuple[str, Block]  # a block and its place: the index that its pieces share

# The places of the blocks of which an answer has one, and the beginning of those of its calls.
REASONING, TEXT, REFUSAL, AUDIO, CALL = "rs_0", "txt_0", "rf_0", "au_0", "tc_"

_DATA_URL = re.compile(r"data:(?P<mime>[^;,]+)[^,]*;base64,(?P<data>.*)", re.DOTALL)


def content_blocks(message: AIMessage) -> list[ContentBlock]:
    """The standard blocks of a whole answer: reasoning, text with citations, refusal, images, audio, tool calls."""
    return cast("list[ContentBlock]", [block for _, block in named_blocks(message)])


def named_blocks(message: AIMessage) -> list[Named]:
    """The blocks of a whole answer with their places."""
    return [*_said(message), *_calls(message)]


def chunk_blocks(message: AIMessageChunk) -> list[ContentBlock]:
    """The standard blocks of a chunk, or of a sum of chunks; each with its index."""
    whole = message.chunk_position == "last" and all(piece.get("name") for piece in message.tool_call_chunks)
    calls = _calls(message) if whole else _call_pieces(message)
    return cast("list[ContentBlock]", [_placed(place, block) for place, block in [*_said(message), *calls]])


def _placed(place: str, block: Block) -> Block:
    return {**block, "index": f"lc_{place}"} if place else block


def _said(message: AIMessage) -> Iterator[Named]:
    """Everything but the tool calls. What list content has already is not added again."""
    extra, content = message.additional_kwargs, message.content
    annotations = [annotation(item) for item in dicts_of(extra.get("annotations"))]
    blocks = _listed(message) if isinstance(content, list) else []
    present = {block.get("type") for block in blocks}
    derived = [*_reasoning(extra), *_server_tools(extra)]
    yield from [named for named in derived if named[1]["type"] not in present]
    if isinstance(content, list):
        yield from [("", block) for block in blocks]
    elif content or annotations:
        yield TEXT, {"type": "text", "text": content, **({"annotations": annotations} if annotations else {})}
    derived = [*_refusal(extra), *_images(extra), *_audio(extra)]
    yield from [named for named in derived if named[1]["type"] not in present]


def _listed(message: AIMessage) -> list[Block]:
    """List content as blocks, by core's own reading of it."""
    return cast("list[Block]", super(AIMessage, message).content_blocks)


def _reasoning(extra: Mapping[str, Any]) -> Iterator[Named]:
    """The readable text; the opaque items, which go back with the next turn, ride along in ``extras``."""
    text, details = text_of(extra.get("reasoning_content")), extra.get("reasoning_details")
    if text or details:
        extras = {"extras": {"reasoning_details": details}} if details else {}
        yield REASONING, {"type": "reasoning", "reasoning": text or "", **extras}


def _server_tools(extra: Mapping[str, Any]) -> Iterator[Named]:
    """Calls that OpenRouter ran itself; they are recorded among the ``reasoning_details``."""
    details = dicts_of(extra.get("reasoning_details"))
    for place, item in enumerate(item for item in details if item.get("type") == "reasoning.server_tool_call"):
        call_id, result = text_of(item.get("tool_call_id")) or f"server_{place}", item.get("result")
        name, args = text_of(item.get("tool_name")) or "", _args(item.get("arguments"))
        yield f"st_{place}", {"type": "server_tool_call", "id": call_id, "name": name, "args": args}
        if result is not None:
            made = {"type": "server_tool_result", "tool_call_id": call_id, "status": "success", "output": result}
            yield f"sr_{place}", made


def _args(arguments: Any) -> Mapping[str, Any]:
    return parse_args(arguments) or {} if isinstance(arguments, str) else dict_of(arguments)


def annotation(item: Block) -> Block:
    """A citation; anything else (a parsed file, say) as it is on the wire, wrapped.

    Offsets that mark no text (0 to 0 is common) are left out.
    """
    cited = dict_of(item.get("url_citation"))
    if item.get("type") != "url_citation" or not cited:
        return {"type": "non_standard_annotation", "value": item}
    start, end = cited.get("start_index"), cited.get("end_index")
    marked = isinstance(start, int) and isinstance(end, int) and end > start
    rest = {key: value for key, value in cited.items() if key not in _CITATION}
    return {"type": "citation"} | known(
        url=text_of(cited.get("url")),
        title=text_of(cited.get("title")),
        cited_text=text_of(cited.get("content")),
        start_index=start if marked else None,
        end_index=end if marked else None,
        extras=rest or None,
    )


_CITATION = {"url", "title", "content", "start_index", "end_index"}


def _refusal(extra: Mapping[str, Any]) -> Iterator[Named]:
    if refusal := text_of(extra.get("refusal")):
        yield REFUSAL, {"type": "non_standard", "value": {"type": "refusal", "refusal": refusal}}


def _images(extra: Mapping[str, Any]) -> Iterator[Named]:
    for place, image in enumerate(dicts_of(extra.get("images"))):
        if url := text_of(dict_of(image.get("image_url")).get("url")):
            yield f"img_{place}", {"type": "image", **url_fields(url)}


def url_fields(url: str) -> dict[str, str]:
    """The fields of a media block for an address: a ``data:`` URL is taken apart."""
    data = _DATA_URL.fullmatch(url)
    return {"base64": data["data"], "mime_type": data["mime"]} if data else {"url": url}


def _audio(extra: Mapping[str, Any]) -> Iterator[Named]:
    """The wire does not say the format of the sound; it is the one that was asked for."""
    audio = dict_of(extra.get("audio"))
    rest = {key: value for key, value in audio.items() if key not in ("id", "data")}
    if audio:
        fields = known(id=text_of(audio.get("id")), base64=text_of(audio.get("data")), extras=rest or None)
        yield AUDIO, {"type": "audio", **fields}


def _calls(message: AIMessage) -> Iterator[Named]:
    """Finished calls that list content does not have already, in the order they came."""
    listed = message.content if isinstance(message.content, list) else []
    there = {block.get("id") for block in listed if isinstance(block, dict) and block.get("type") == "tool_call"}
    calls: list[Any] = [*message.tool_calls, *message.invalid_tool_calls]
    came = list(dict_of(message.additional_kwargs.get(ARGUMENT_TEXTS)))
    if message.invalid_tool_calls and came:
        calls.sort(key=lambda call: came.index(call["id"]) if call["id"] in came else len(came))
    for place, call in enumerate(calls):
        if not call.get("id") or call["id"] not in there:
            yield f"{CALL}{place}", {**call, "type": call.get("type") or "tool_call"}


def _call_pieces(message: AIMessageChunk) -> Iterator[Named]:
    for piece in message.tool_call_chunks:
        fields = {key: piece.get(key) for key in ("id", "name", "args")}
        yield f"{CALL}{piece.get('index') or 0}", {"type": "tool_call_chunk", **fields}


def register() -> None:
    """Let core use these translators for OpenRouter's messages."""
    register_translator(PROVIDER, content_blocks, chunk_blocks)
