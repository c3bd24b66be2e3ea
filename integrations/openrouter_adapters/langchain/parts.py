"""One content block of a message -> one content part of the wire. Pure.

LangChain's standard blocks, OpenAI's and Anthropic's are translated; a part that is the wire's own already, or that
nobody here knows, goes out as it is. Parts of the wire: https://openrouter.ai/docs/features/multimodal/overview
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from openrouter_adapters.core.wire import dict_of, known

Part = dict[str, Any]

KEPT = ("cache_control", "prompt_cache_breakpoint")
"""Keys that may stand on any block, and are sent with its part."""

_FORMATS = {"mpeg": "mp3", "mpga": "mp3", "wave": "wav", "vnd.wave": "wav", "mp4": "m4a", "aacp": "aac", "l16": "pcm16"}


def wire_part(block: str | Mapping[str, Any]) -> Part:
    """Translate one block.

    Args:
        block: text, or a dict with a ``type``.

    Raises:
        ValueError: OpenRouter has no such part, or the block lacks what its part needs; says what to do.
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    translate = _TRANSLATIONS.get(str(block.get("type")))
    if translate is None:
        return dict(block)
    extras = dict_of(block.get("extras"))
    kept = {key: block.get(key) or extras.get(key) for key in KEPT}
    return translate({**extras, **block}) | known(**kept)


def _text(block: Mapping[str, Any]) -> Part:
    return {"type": "text", "text": block.get("text", "")}


def _image(block: Mapping[str, Any]) -> Part:
    """Standard, or Anthropic's with a ``source``."""
    return {"type": "image_url", "image_url": {"url": _url(block, "image")} | known(detail=block.get("detail"))}


def _image_url(block: Mapping[str, Any]) -> Part:
    image = block.get("image_url")
    return {"type": "image_url", "image_url": {"url": image} if isinstance(image, str) else image}


def _video(block: Mapping[str, Any]) -> Part:
    return {"type": "video_url", "video_url": {"url": _url(block, "video")}}


def _url(block: Mapping[str, Any], kind: str) -> str:
    """The address of a block's data; data by value becomes a ``data:`` URL."""
    source = dict_of(block.get("source"))
    url, data = block.get("url") or source.get("url"), block.get("base64") or source.get("data")
    mime = block.get("mime_type") or source.get("media_type")
    if isinstance(url, str):
        return url
    if not isinstance(data, str):
        raise ValueError(f"{kind} block without data: give it `url`, or `base64` and `mime_type`")
    if not mime:
        raise ValueError(f"{kind} block with `base64` but no `mime_type`: add mime_type, 'image/png' or the like")
    return f"data:{mime};base64,{data}"


def _audio(block: Mapping[str, Any]) -> Part:
    data, mime = block.get("base64"), block.get("mime_type")
    url = block.get("url")
    if data is None and isinstance(url, str) and url.startswith("data:") and ";base64," in url:
        head, _, data = url.partition(";base64,")
        mime = mime or head.removeprefix("data:")
    if not isinstance(data, str) or not mime:
        raise ValueError("audio block: OpenRouter takes audio by value only, give it `base64` and `mime_type`")
    return {"type": "input_audio", "input_audio": {"data": data, "format": audio_format(mime)}}


def audio_format(mime: str) -> str:
    """The wire's word for a MIME type: ``audio/mpeg`` is ``mp3``."""
    name = mime.partition(";")[0].rpartition("/")[2].lower().removeprefix("x-")
    return _FORMATS.get(name, name)


def _file(block: Mapping[str, Any]) -> Part:
    if "file" in block:  # the wire's own
        return {"type": "file", "file": block["file"]}
    name = block.get("filename") or block.get("file_filename")
    if block.get("file_id"):
        return {"type": "file", "file": known(filename=name, file_id=block["file_id"])}
    return {"type": "file", "file": known(filename=name, file_data=_url(block, "file"))}


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
    return _file({**block, "filename": block.get("title")})


def _non_standard(block: Mapping[str, Any]) -> Part:
    return dict_of(block.get("value"))


_TRANSLATIONS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": _text,
    "image": _image,
    "image_url": _image_url,
    "video": _video,
    "audio": _audio,
    "file": _file,
    "text-plain": _plain,
    "document": _document,
    "non_standard": _non_standard,
}
