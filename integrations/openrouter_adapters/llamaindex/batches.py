"""LlamaIndex embeds many texts batch by batch; when one batch fails, what the others brought is not lost.

LlamaIndex throws the other batches away, and, async, goes on to send and pay those that nobody waits for any more. So
the methods that go through the batches get a shell, which knows what each batch brought and took. The shell also holds
the async batches to ``num_workers`` at once; for LlamaIndex, 1 means all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from llama_index.core.base.embeddings.base import BaseEmbedding

from openrouter_adapters.core.embeddings import Embedded, Vector, tell_rest

E = TypeVar("E", bound=BaseEmbedding)


class Batches:
    """The batches of one call, so many at once."""

    def __init__(self, at_once: int = 1) -> None:
        self.free = asyncio.Semaphore(at_once)
        self.vectors: dict[str, Vector] = {}
        self.answers: list[Embedded] = []
        self.failures: list[Exception] = []
        self.begun: set[asyncio.Task[Any]] = set()

    def add(self, texts: Sequence[str], answer: Embedded) -> None:
        """A batch succeeded."""
        self.vectors.update(zip(texts, answer.vectors, strict=True))
        self.answers.append(answer)

    def tell(self, error: Exception, texts: Sequence[str]) -> None:
        """Put into the error what the other batches brought and took."""
        if self.failures:
            tell_rest(error, self.answers, self.failures, [self.vectors.get(text) for text in texts])

    async def finish(self) -> None:
        """Wait for the batches under way: they are paid."""
        if pending := {task for task in self.begun if not task.done()}:
            await asyncio.wait(pending)


_batches: ContextVar[Batches | None] = ContextVar("_batches", default=None)


def batch(texts: Sequence[str], embed: Callable[[], Embedded]) -> list[Vector]:
    """Embed one batch; the call that it belongs to, if any, takes note."""
    batches = _batches.get() or Batches()
    try:
        answer = embed()
    except Exception as error:
        batches.failures.append(error)
        raise
    batches.add(texts, answer)
    return answer.vectors


async def abatch(texts: Sequence[str], embed: Callable[[], Awaitable[Embedded]]) -> list[Vector]:
    """As `batch`; once a batch has failed, no more are sent."""
    batches = _batches.get() or Batches()
    async with batches.free:
        if batches.failures:
            raise batches.failures[0]
        if task := asyncio.current_task():
            batches.begun.add(task)
        try:
            answer = await embed()
        except Exception as error:
            batches.failures.append(error)
            raise
    batches.add(texts, answer)
    return answer.vectors


def keeps_batches(cls: type[E]) -> type[E]:
    """A class decorator for an embedding model: an error tells what the other batches brought and took.

    It is put around what LlamaIndex itself puts around the methods when the class is made.
    """
    embed, aembed = cls.get_text_embedding_batch, cls.aget_text_embedding_batch

    @wraps(embed)
    def shell(self: E, texts: list[str], *args: Any, **kwargs: Any) -> list[Vector]:
        batches = Batches()
        token = _batches.set(batches)
        try:
            return embed(self, texts, *args, **kwargs)
        except Exception as error:
            batches.tell(error, texts)
            raise
        finally:
            _batches.reset(token)

    @wraps(aembed)
    async def ashell(self: E, texts: list[str], *args: Any, **kwargs: Any) -> list[Vector]:
        batches = Batches(self.num_workers or 1)
        token = _batches.set(batches)
        try:
            return await aembed(self, texts, *args, **kwargs)
        except Exception as error:
            await batches.finish()
            batches.tell(error, texts)
            raise
        finally:
            _batches.reset(token)

    for name, around in (("get_text_embedding_batch", shell), ("aget_text_embedding_batch", ashell)):
        setattr(cls, name, around)
    return cls
