"""What is embedded or ranked, as the wire has it: texts, blocks, nodes and pictures. A URL is sent as a URL."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO, IOBase
from pathlib import Path
from typing import Any, TypeVar

from llama_index.core.base.llms.types import (
    AudioBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, MetadataMode, Node, NodeWithScore
from pydantic import BaseModel

from openrouter_adapters.core import embeddings as core
from openrouter_adapters.core.arguments import same_kind
from openrouter_adapters.core.rerank import Text
from openrouter_adapters.core.sendable import check_text
from openrouter_adapters.llamaindex import media

Embeddable = str | ContentBlock | BaseNode | Mapping[str, Any] | Sequence[Any]
"""One thing to embed: text; a content block, or a list of blocks and texts; a node, with its picture if it has one; the
wire's ``{"content": [...]}``; or the numbers of tokens."""

Image = str | Path | bytes | BytesIO | ImageBlock | ImageNode | ImageDocument
"""A picture: its path or address, its bytes, an open file, or something of LlamaIndex's that holds one."""

Rankable = str | BaseNode | NodeWithScore | Mapping[str, Any]
"""One thing to rank: text, a node, or the wire's ``{"text": ..., "image": ...}``."""

T = TypeVar("T")

_ADDRESS = ("http://", "https://", "data:")


def wire_input(item: Any) -> Any:
    """One thing to embed as the wire takes it; what nobody knows is left to core to refuse.

    Raises:
        ValueError: a block that has nothing in it, or that cannot be embedded.
    """
    if isinstance(item, BaseNode):
        return _whole_node(item)
    return core.wire_input([item] if hasattr(item, "block_type") else item, _part)


def _whole_node(node: BaseNode) -> Any:
    """A node's text, as LlamaIndex embeds it; with its picture, where it has one."""
    text, picture = node.get_content(metadata_mode=MetadataMode.EMBED), node_image(node)
    if picture is None:
        return text
    return {"content": [*([_text_part(text)] if text else []), media.image_url_part(picture)]}


def _part(block: Any) -> Mapping[str, Any]:
    """A content part of chat; a part of the wire's as it is."""
    match block:
        case str():
            return _text_part(block)
        case TextBlock():
            return _text_part(block.text)
        case ImageBlock():
            return media.image_part(block)
        case AudioBlock():
            return media.audio_part(block)
        case VideoBlock():
            return media.video_part(block)
        case DocumentBlock():
            return media.document_part(block)
        case Mapping():
            return block
    raise TypeError(f"a part to embed must be text, a picture, sound, a film or a document, not {block!r:.80}")


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def listed(name: str, inputs: Iterable[T]) -> list[T]:
    """The inputs of a batch as a list.

    Raises:
        TypeError: they are one thing, or none at all.
    """
    if isinstance(inputs, str | bytes | Mapping | BaseModel | IOBase) or not isinstance(inputs, Iterable):
        raise TypeError(f"{name} must be a list with one item for each vector, not {inputs!r:.80}")
    return list(inputs)


def checked_texts(texts: Sequence[str]) -> Sequence[str]:
    """The texts, all of them text: LlamaIndex fails on anything else, but only once it is paid.

    Raises:
        TypeError: one is none.
        ValueError: one has half a character.
    """
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {at} must be a str, not {text!r:.80}; embed() takes blocks, nodes and token numbers")
        check_text(f"text {at}", text)
    return texts


def checked_images(images: Sequence[Image]) -> Sequence[Image]:
    """The pictures, all of which can be read. They are read again when their batch is sent: memory holds one batch.

    Raises:
        TypeError: one is no picture.
        ValueError: one cannot be read.
    """
    for at, image in enumerate(images):
        try:
            image_address(image)
        except (TypeError, ValueError) as error:
            raise same_kind(error, f"image {at}: {error}") from error
    return images


def whole_image(image: Image) -> dict[str, Any]:
    """A picture as a thing to embed."""
    return image_input(image_address(image))


def image_input(url: str) -> dict[str, Any]:
    """The address of a picture as a thing to embed."""
    return {"content": [media.image_url_part(url)]}


def image_address(image: Any) -> str:
    """Where a picture is: its own URL, or a ``data:`` URL that holds it.

    Raises:
        TypeError: it is no picture.
        ValueError: there is none in it, it cannot be read, or its media type cannot be told.
    """
    if isinstance(image, ImageBlock):
        return media.address("image", image.image, image.path, image.url, image.image_mimetype)
    if isinstance(image, BaseNode):
        if (found := node_image(image)) is None:
            raise ValueError(f"the node {image.node_id} has no image: give it the data, a path or a url")
        return found
    if isinstance(image, str) and image[:8].lower().startswith(_ADDRESS):
        return image
    if isinstance(image, str | Path):
        if not os.path.exists(image):
            raise ValueError(f"there is no file {str(image)!r:.80}; base64 is given as a data: address, or as bytes")
        return media.address("image", None, image, None, None)
    # An open file is the caller's: one in memory is read without moving its position.
    data = BytesIO(image.getvalue()) if isinstance(image, BytesIO) else image
    if isinstance(data, bytes | IOBase):
        return media.address("image", BytesIO(data) if isinstance(data, bytes) else data, None, None, None)
    raise TypeError(f"an image to embed must be a path, an address, bytes or an image node, not {image!r:.80}")


def node_image(node: BaseNode) -> str | None:
    """The address of a node's picture, as `image_address` has it; None where it has none."""
    if isinstance(node, ImageNode):
        data: Any = node.image.encode() if node.image else None
        path: Any = node.image_path
        url, mime = node.image_url, node.image_mimetype
    elif isinstance(node, Node) and node.image_resource:
        data, path = node.image_resource.data, node.image_resource.path
        url, mime = str(node.image_resource.url or ""), node.image_resource.mimetype
    else:
        return None
    return media.address("image", data, path, url, mime) if data or path or url else None


def ranked_documents(items: Sequence[Any], mode: MetadataMode, images: bool) -> list[Text]:
    """Things to rank as the wire takes them; what nobody knows is left to core to refuse.

    A picture that cannot be read is left out where there is text; one warning tells of all of them.

    Args:
        items: texts, nodes, or objects of the wire's.
        mode: which of a node's metadata counts beside its text.
        images: whether a node's picture goes with its text.

    Raises:
        ValueError: a picture without text cannot be read.
    """
    unread: list[str] = []
    made = [_ranked(item, mode, images, unread) for item in items]
    if unread:
        warnings.warn(f"{len(unread)} of the nodes are ranked by text alone: {unread[0]}", stacklevel=2)
    return made


def _ranked(item: Any, mode: MetadataMode, images: bool, unread: list[str]) -> Text:
    node = item.node if isinstance(item, NodeWithScore) else item
    if not isinstance(node, BaseNode):
        return node  # type: ignore[no-any-return]
    text, picture = node.get_content(metadata_mode=mode), None
    try:
        picture = node_image(node) if images else None
    except ValueError as error:
        if not text:
            raise
        unread.append(f"node {node.node_id}: {error}")
    if picture is None:
        return text
    return {**({"text": text} if text else {}), "image": picture}
