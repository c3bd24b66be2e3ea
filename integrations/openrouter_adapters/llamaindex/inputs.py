"""What is embedded or ranked, as the wire has it: texts, blocks, nodes and pictures. A URL is sent as a URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO, IOBase
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)
from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, MetadataMode, Node, NodeWithScore

from openrouter_adapters.core.embeddings import embedding_part
from openrouter_adapters.core.rerank import Text
from openrouter_adapters.llamaindex import media

Embeddable = str | ContentBlock | BaseNode | Mapping[str, Any] | Sequence[Any]
"""One thing to embed: text; a content block, or a list of blocks and texts; a node, with its picture if it has one; the
wire's ``{"content": [...]}``; or the numbers of tokens."""

Image = str | Path | bytes | BytesIO | ImageBlock | ImageNode | ImageDocument
"""A picture: its path or address, its bytes, an open file, or something of LlamaIndex's that holds one."""

Rankable = str | BaseNode | NodeWithScore | Mapping[str, Any]
"""One thing to rank: text, a node, or the wire's ``{"text": ..., "image": ...}``."""

_ADDRESS = ("http://", "https://", "data:")


def wire_input(item: Any) -> Any:
    """One thing to embed as the wire takes it; what nobody knows is left to core to refuse.

    Raises:
        ValueError: a block that has nothing in it, or that cannot be embedded.
    """
    if isinstance(item, BaseNode):
        return _whole_node(item)
    if isinstance(item, list | tuple) and not all(isinstance(number, int) for number in item):
        return {"content": [_part(block) for block in item]}
    return {"content": [_part(item)]} if hasattr(item, "block_type") else item


def _whole_node(node: BaseNode) -> Any:
    """A node's text, as LlamaIndex embeds it; with its picture, where it has one."""
    text, picture = node.get_content(metadata_mode=MetadataMode.EMBED), node_image(node)
    if picture is None:
        return text
    return {"content": [*([_text_part(text)] if text else []), image_input(picture)["content"][0]]}


def _part(block: Any) -> Any:
    """A content part; a part of the wire's as it is."""
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
            return embedding_part(media.video_part(block))
        case DocumentBlock():
            return embedding_part(media.document_part(block))
        case Mapping():
            return embedding_part(block)
    raise TypeError(f"a part to embed must be text, a picture, sound, a film or a document, not {block!r:.80}")


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def image_input(url: str) -> dict[str, Any]:
    """A picture as a thing to embed."""
    return {"content": [{"type": "image_url", "image_url": {"url": url}}]}


def image_address(image: Any) -> str:
    """Where a picture is: its own URL, or a ``data:`` URL that holds it.

    Raises:
        TypeError: it is no picture.
        ValueError: there is none in it, or its media type cannot be told.
        OSError: the file cannot be read.
    """
    if isinstance(image, ImageBlock):
        return media.address("image", image.image, image.path, image.url, image.image_mimetype)
    if isinstance(image, BaseNode):
        if (found := node_image(image)) is None:
            raise ValueError(f"the node {image.node_id} has no image: give it the data, a path or a url")
        return found
    if isinstance(image, str) and image.startswith(_ADDRESS):
        return image
    if isinstance(image, str | Path):
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


def ranked_document(item: Any, mode: MetadataMode) -> Text:
    """One thing to rank as the wire takes it; what nobody knows is left to core to refuse.

    Args:
        item: text, a node, or an object of the wire's.
        mode: which of a node's metadata counts beside its text.
    """
    node = item.node if isinstance(item, NodeWithScore) else item
    if not isinstance(node, BaseNode):
        return node  # type: ignore[no-any-return]
    text, picture = node.get_content(metadata_mode=mode), node_image(node)
    if picture is None:
        return text
    return {**({"text": text} if text else {}), "image": picture}
