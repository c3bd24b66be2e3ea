"""Images, sound, films and documents as parts of a wire message. Nothing is fetched: a URL is sent as a URL.

The parts: https://openrouter.ai/docs/features/multimodal/overview
"""

from __future__ import annotations

import base64
import mimetypes
from io import IOBase
from pathlib import Path
from typing import Any

import filetype  # type: ignore[import-untyped]  # comes with llama-index-core
from llama_index.core.base.llms.types import AudioBlock, DocumentBlock, ImageBlock, VideoBlock

from openrouter_adapters.core.wire import known

UNTITLED = "input_document"
"""What LlamaIndex calls a document that was given no title."""


def image_part(block: ImageBlock) -> dict[str, Any]:
    """``image_url``: an address, or the picture itself as a ``data:`` URL."""
    url = address("image", block.image, block.path, block.url, block.image_mimetype)
    return image_url_part(url, block.detail)


def image_url_part(url: str, detail: str | None = None) -> dict[str, Any]:
    """The wire's part for a picture at an address."""
    return {"type": "image_url", "image_url": known(url=url, detail=detail)}


def video_part(block: VideoBlock) -> dict[str, Any]:
    """``video_url``: an address, or the film itself as a ``data:`` URL."""
    url = address("video", block.video, block.path, block.url, block.video_mimetype)
    return {"type": "video_url", "video_url": {"url": url}}


def document_part(block: DocumentBlock) -> dict[str, Any]:
    """``file``: an address, or the document itself as a ``data:`` URL."""
    name = filename(block)
    mime = block.document_mimetype or mimetypes.guess_type(name)[0] or "application/octet-stream"
    url = address("document", block.data, block.path, block.url, mime)
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def filename(block: DocumentBlock) -> str:
    """A document's title, or the last part of its path or address."""
    place = str(block.path or block.url or "")
    if block.title and block.title != UNTITLED:
        return block.title
    return (not place.startswith("data:") and Path(place.partition("?")[0]).name) or UNTITLED


def audio_part(block: AudioBlock) -> dict[str, Any]:
    """``input_audio``: the sound itself. The wire takes no address for it.

    Raises:
        ValueError: there is only an address, it cannot be read, or the format cannot be told.
    """
    url = str(block.url or "")
    head, _, encoded = url.partition(";base64,")
    if block.audio or block.path:
        encoded = encoded_bytes("audio", block.audio, block.path)
    elif not (head.startswith("data:") and encoded):
        raise ValueError(
            "the audio block needs audio, a path, or a data: url in base64: OpenRouter takes sound inline only"
        )
    sound = block.format or guessed(encoded, "extension")
    if not sound:
        raise ValueError('the format of the audio cannot be told from the data: give format, such as "wav"')
    return {"type": "input_audio", "input_audio": {"data": encoded, "format": sound}}


def address(kind: str, data: Any, path: Any, url: Any, mime: str | None) -> str:
    """Where a thing is: its own URL, or a ``data:`` URL that holds it.

    Raises:
        ValueError: there is no such thing, it cannot be read, or its media type cannot be told.
    """
    if not data and not path:
        if not url:
            raise ValueError(empty(kind))
        return str(url)
    encoded = encoded_bytes(kind, data, path)
    mime = mime or guessed(encoded, "mime")
    if not mime:
        raise ValueError(f"the {kind}'s media type cannot be told from the data: give {kind}_mimetype")
    return f"data:{mime};base64,{encoded}"


def encoded_bytes(kind: str, data: Any, path: Any) -> str:
    """The bytes of a block, base64. Blocks keep theirs encoded already; files and open files are read here.

    Raises:
        ValueError: there are none, or they cannot be read.
    """
    try:
        encoded = data.decode("ascii") if isinstance(data, bytes) else _encoded_file(data, path)
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"the {kind} block cannot be read: {error}") from error
    if not encoded:
        raise ValueError(empty(kind))
    return encoded


def _encoded_file(data: Any, path: Any) -> str:
    if not isinstance(data, IOBase):
        return base64.b64encode(Path(path).read_bytes()).decode("ascii")
    place = data.tell()  # an open file is the caller's, and stays where it is
    data.seek(0)
    try:
        return base64.b64encode(data.read()).decode("ascii")
    finally:
        data.seek(place)


def empty(kind: str) -> str:
    """What to say of a block with nothing in it."""
    return f"the {kind} block is empty: give it the data, a path or a url"


def guessed(encoded: str, what: str) -> str | None:
    """What the first bytes of a thing say of it: its ``mime`` or its ``extension``."""
    kind = filetype.guess(base64.b64decode(encoded[:4096] + "==="))
    return getattr(kind, what) if kind else None
