"""One content block of a message -> one content part of the wire. Pure.

LangChain's standard blocks, OpenAI's and Anthropic's are translated; a part that is the wire's own already, or that
nobody here knows, goes out as it is. Parts of the wire: https://openrouter.ai/docs/features/multimodal/overview
"""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Callable, Mapping
from typing import Any

from openrouter_adapters.core.wire import dict_of, known

Part = dict[str, Any]

KEPT = ("cache_control", "prompt_cache_breakpoint")
"""Keys that may stand on any block, and are sent with its part."""

_FORMATS = {"mpeg": "mp3", "mpga": "mp3", "wave": "wav", "vnd.wave": "wav", "mp4": "m4a", "aacp": "aac", "l16": "pcm16"}


# How the data of a file begins, in base64: for data that comes without a MIME type.
_BEGINNINGS = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBERi0": "application/pdf",
}


_BY_VALUE = re.compile(r"data:([^;,]+);base64,(.+)", re.S)
_OF_ANYTHING = ("application/octet-stream", "application/pdf")  # core calls what it does not know a PDF


def wire_part(block: str | Mapping[str, Any]) -> Part:
    """Translate one block.

    Args:
        block: text, or a dict with a ``type``.

    Raises:
        ValueError: OpenRouter has no such part, or the block lacks what its part needs; says what to do.
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    if not isinstance(block.get("type"), str):
        return _typeless(block)
    translate = _TRANSLATIONS.get(block["type"])
    if translate is None:
        return dict(block)
    extras = dict_of(block.get("extras"))
    kept = {key: block.get(key) or extras.get(key) for key in KEPT}
    return translate({**extras, **block}) | known(**kept)


def _typeless(block: Mapping[str, Any]) -> Part:
    """Bedrock writes text without a type."""
    if isinstance(block.get("text"), str):
        return _text(block)
    raise ValueError(f"a block without `type`, with {list(block)}: give it one, 'text' or 'image' say")


def _text(block: Mapping[str, Any]) -> Part:
    return {"type": "text", "text": block.get("text", "")}


def _image(block: Mapping[str, Any]) -> Part:
    """Standard, or Anthropic's with a ``source``."""
    return {"type": "image_url", "image_url": {"url": _url(block, "image")} | known(detail=block.get("detail"))}


def _image_url(block: Mapping[str, Any]) -> Part:
    """OpenAI's, its address plain or with more beside it."""
    return {"type": "image_url", "image_url": known(detail=block.get("detail")) | _addressed(block, "image_url")}


def _video(block: Mapping[str, Any]) -> Part:
    return {"type": "video_url", "video_url": {"url": _url(block, "video")}}


def _video_url(block: Mapping[str, Any]) -> Part:
    return {"type": "video_url", "video_url": _addressed(block, "video_url")} | known(
        processing=block.get("processing")
    )


def _addressed(block: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What stands under a key that holds an address, or a dict with a ``url``."""
    value = block.get(key)
    found = {"url": value} if isinstance(value, str) else dict_of(value)
    if not isinstance(found.get("url"), str):
        raise ValueError(f"{key} part without address: give it `{key}`: {{'url': 'https://... or data:...'}}")
    return found


def _url(block: Mapping[str, Any], kind: str) -> str:
    """The address of a block's data; data by value becomes a ``data:`` URL."""
    source = dict_of(block.get("source"))
    url, data = block.get("url") or source.get("url"), _value(block)
    if isinstance(url, str):
        return url
    if not isinstance(data, str):
        raise ValueError(f"{kind} block without data: give it `url`, or `base64` and `mime_type`")
    if data.startswith("data:"):
        return data
    mime = _mime(block, data)
    if not mime:
        like = "application/pdf" if kind == "file" else f"{kind}/{'mp4' if kind == 'video' else 'png'}"
        raise ValueError(f"{kind} block with `base64` but no `mime_type`: add mime_type, {like!r} or the like")
    return f"data:{mime};base64,{data}"


def _value(block: Mapping[str, Any]) -> Any:
    """Data by value: standard, LangChain's former blocks and Google's, Anthropic's."""
    return block.get("base64") or block.get("data") or dict_of(block.get("source")).get("data")


def _mime(block: Mapping[str, Any], data: str) -> str | None:
    """The MIME type that a block names; if none, or one that is given to anything, what its data or its name shows."""
    named = block.get("mime_type") or dict_of(block.get("source")).get("media_type")
    found = next((mime for start, mime in _BEGINNINGS.items() if data.startswith(start)), None)
    if isinstance(named, str) and named not in _OF_ANYTHING:
        return named
    return found or mimetypes.guess_type(str(block.get("filename")))[0] or named


def _audio(block: Mapping[str, Any]) -> Part:
    data, mime, url = _value(block), block.get("mime_type"), block.get("url")
    by_value = data if isinstance(data, str) else url
    if isinstance(by_value, str) and by_value.startswith("data:") and ";base64," in by_value:
        head, _, data = by_value.partition(";base64,")
        mime = mime or head.removeprefix("data:")
    if not isinstance(data, str) or not mime:
        raise ValueError("audio block: OpenRouter takes audio by value only, give it `base64` and `mime_type`")
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio_format(mime)}}


def audio_format(mime: str) -> str:
    """The wire's word for a MIME type: ``audio/mpeg`` is ``mp3``."""
    name = mime.partition(";")[0].rpartition("/")[2].lower().removeprefix("x-")
    return _FORMATS.get(name, name)


def _file(block: Mapping[str, Any]) -> Part:
    """A file; images, sound and videos have parts of their own, and fail as files."""
    if "file" in block:  # the wire's own
        return {"type": "file", "file": block["file"]}
    translate = _OF_MEDIA.get(str(block.get("mime_type")).partition("/")[0])
    if translate and not block.get("file_id"):
        return translate(block)
    name = block.get("filename") or block.get("file_filename") or block.get("name")
    if block.get("file_id"):
        return {"type": "file", "file": known(filename=name, file_id=block["file_id"])}
    if _value(block) is None and not block.get("url") and isinstance(block.get("text"), str):
        return _text(block)
    return {"type": "file", "file": known(filename=name, file_data=_url({**block, "filename": name}, "file"))}


def typed_file(block: str | Part) -> str | Part:
    """A file of OpenAI's form as the standard block, with the MIME type of its ``data:`` URL; all else as it is.

    Core makes standard blocks of them too, but calls each of them a PDF.
    """
    file = dict_of(block.get("file")) if isinstance(block, dict) and block.get("type") == "file" else {}
    found = _BY_VALUE.fullmatch(data) if isinstance(data := file.get("file_data"), str) else None
    if found is None or isinstance(block, str):
        return block
    rest = {key: value for key, value in block.items() if key != "file"}
    return {**rest, "mime_type": found[1], "base64": found[2]} | known(filename=file.get("filename"))


def _plain(block: Mapping[str, Any]) -> Part:
    """A text document: its text, or a file where only its address is known."""
    if isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    if isinstance(block.get("base64"), str):
        return {"type": "text", "text": base64.b64decode(block["base64"]).decode("utf-8", "replace")}
    return _file(block)


def _document(block: Mapping[str, Any]) -> Part:
    """Anthropic's document: text by value, or a file."""
    source = dict_of(block.get("source"))
    if source.get("type") == "text":
        return {"type": "text", "text": source.get("data", "")}
    if source.get("type") == "content":
        return {"type": "text", "text": _texts(source.get("content"))}
    rest = {"source": source, **known(file_id=source.get("file_id"), mime_type=source.get("media_type"))}
    return _file({**block, **rest, "filename": block.get("title")})


def _texts(content: Any) -> str:
    parts = [wire_part(block) for block in ([content] if isinstance(content, str) else content or ())]
    if any(part.get("type") != "text" for part in parts):
        raise ValueError("a document made of more than text: send its images as blocks of their own")
    return "\n".join(str(part["text"]) for part in parts)


def _search_result(block: Mapping[str, Any]) -> Part:
    """Anthropic's: what a tool found, with its title and where it stands."""
    said = [block.get("title"), block.get("source"), _texts(block.get("content"))]
    return {"type": "text", "text": "\n".join(text for text in said if isinstance(text, str) and text)}


def _media(block: Mapping[str, Any]) -> Part:
    """Google's: data or an address, told apart by MIME type."""
    return _file({**block, **known(url=block.get("file_uri"))})


def _input_file(block: Mapping[str, Any]) -> Part:
    """That of OpenAI's Responses API."""
    data = block.get("file_data") or block.get("file_url")
    return {"type": "file", "file": known(filename=block.get("filename"), file_id=block.get("file_id"), file_data=data)}


def _non_standard(block: Mapping[str, Any]) -> Part:
    if not dict_of(block.get("value")):
        raise ValueError("non_standard block without `value`: put the wire's part there")
    return dict_of(block["value"])


_OF_MEDIA = {"image": _image, "video": _video, "audio": _audio}
_TRANSLATIONS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "image": _image,
    "image_url": _image_url,
    "input_image": _image_url,
    "video": _video,
    "video_url": _video_url,
    "audio": _audio,
    "file": _file,
    "input_file": _input_file,
    "media": _media,
    "text-plain": _plain,
    "document": _document,
    "search_result": _search_result,
    "non_standard": _non_standard,
}
