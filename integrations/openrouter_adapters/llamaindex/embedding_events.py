"""What LlamaIndex is told of a batch of texts or of pictures: what its own methods tell, and that it failed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent
from llama_index.core.schema import ImageNode
from llama_index_instrumentation import get_dispatcher  # comes with llama-index-core

from openrouter_adapters.core.embeddings import Vector
from openrouter_adapters.llamaindex.batches import Done

_dispatcher = get_dispatcher(BaseEmbedding.__module__)  # where the events of single texts come from


@contextmanager
def told_texts(model: BaseEmbedding, texts: list[str]) -> Generator[Done]:
    """A batch of texts: a pair of events, and the callbacks' event."""
    brought: list[Vector] = []
    _dispatcher.event(EmbeddingStartEvent(model_dict=model.to_payload()))
    with _callback(model, texts) as done:

        def keep(vectors: list[Vector]) -> None:
            brought.extend(vectors)
            done(vectors)

        yield keep
    _dispatcher.event(EmbeddingEndEvent(chunks=texts, embeddings=brought))


@contextmanager
def told_images(model: BaseEmbedding, images: Sequence[Any]) -> Generator[Done]:
    """A batch of pictures: the callbacks' event alone, in LlamaIndex."""
    with _callback(model, [image_label(image) for image in images]) as done:
        yield done


@contextmanager
def _callback(model: BaseEmbedding, chunks: list[str]) -> Generator[Done]:
    with model.callback_manager.event(
        CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: model.to_payload()}
    ) as event:
        yield lambda vectors: event.on_end({EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: vectors})


def image_label(image: Any) -> str:
    """Text that stands for a picture in an event, whose handlers count its tokens: its path or address, if it has one.

    A ``data:`` address is the picture itself, and no text to count.
    """
    place: Any = None
    if isinstance(image, str | Path):
        place = image
    elif isinstance(image, ImageBlock):
        place = image.path or image.url
    elif isinstance(image, ImageNode):
        place = image.image_path or image.image_url
    return "<image>" if not place or str(place)[:5].lower() == "data:" else str(place)
