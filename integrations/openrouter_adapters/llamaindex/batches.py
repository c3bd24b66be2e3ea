"""LlamaIndex embeds many texts or pictures batch by batch; when one batch fails, what the others brought is not lost.

LlamaIndex throws the other batches away, and, async, goes on to send and pay those that nobody waits for any more. So
the methods that go through the batches get a shell, which knows what each batch brought and took. The shell also holds
the async batches to so many at once; for LlamaIndex, ``num_workers`` of 1 or None means all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from llama_index.core.base.embeddings.base import BaseEmbedding

from openrouter_adapters.core.embeddings import Embedded, Vector, tell_rest

WORKERS = 4
"""Requests at once, where nothing else is said."""

M = TypeVar("M", bound=BaseEmbedding)


class Batches:
    """The batches of one call, so many at once."""

    def __init__(self, at_once: int = WORKERS) -> None:
        self.free = asyncio.Semaphore(at_once)
        self.vectors: dict[int, Vector] = {}  # by the identity of what was embedded, which may be a picture
        self.answers: list[Embedded] = []
        self.failures: list[Exception] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    def add(self, inputs: Sequence[Any], answer: Embedded) -> None:
        """A batch succeeded."""
        self.vectors.update(zip(map(id, inputs), answer.vectors, strict=True))
        self.answers.append(answer)

    def tell(self, error: Exception, inputs: Sequence[Any]) -> None:
        """Put into the error what the other batches brought and took."""
        if self.failures:
            tell_rest(error, self.answers, self.failures, [self.vectors.get(id(item)) for item in inputs])

    async def finish(self) -> None:
        """Wait for the batches under way: they are paid. The others stop by themselves."""
        if pending := {task for task in self.tasks if not task.done()}:
            await asyncio.wait(pending)


_batches: ContextVar[Batches | None] = ContextVar("_batches", default=None)


def batch(inputs: Sequence[Any], embed: Callable[[], Embedded]) -> list[Vector]:
    """Embed one batch; the call that it belongs to, if any, takes note."""
    batches = _batches.get() or Batches()
    try:
        answer = embed()
    except Exception as error:
        batches.failures.append(error)
        raise
    batches.add(inputs, answer)
    return answer.vectors


async def abatch(inputs: Sequence[Any], embed: Callable[[], Awaitable[Embedded]]) -> list[Vector]:
    """As `batch`; once a batch has failed, no more are sent."""
    batches = _batches.get() or Batches()
    if task := asyncio.current_task():
        batches.tasks.add(task)
    async with batches.free:
        if batches.failures:
            # The failure is on its way to the caller; of a task that failed unseen asyncio would complain.
            raise asyncio.CancelledError
        try:
            answer = await embed()
        except Exception as error:
            batches.failures.append(error)
            raise
    batches.add(inputs, answer)
    return answer.vectors


def keeps_batches(cls: type[M]) -> type[M]:
    """A class decorator for an embedding model: an error tells what the other batches brought and took.

    It is put around what LlamaIndex itself puts around the methods when the class is made.
    """
    for name in ("get_text_embedding_batch", "get_image_embedding_batch"):
        setattr(cls, name, _shell(getattr(cls, name)))
        setattr(cls, f"a{name}", _ashell(getattr(cls, f"a{name}")))
    return cls


def _shell(method: Callable[..., list[Vector]]) -> Callable[..., list[Vector]]:
    @wraps(method)
    def shell(self: BaseEmbedding, inputs: Sequence[Any], *args: Any, **kwargs: Any) -> list[Vector]:
        batches = Batches()
        token = _batches.set(batches)
        try:
            return method(self, inputs, *args, **kwargs)
        except Exception as error:
            batches.tell(error, inputs)
            raise
        finally:
            _batches.reset(token)

    return shell


def _ashell(method: Callable[..., Awaitable[list[Vector]]]) -> Callable[..., Awaitable[list[Vector]]]:
    @wraps(method)
    async def shell(self: BaseEmbedding, inputs: Sequence[Any], *args: Any, **kwargs: Any) -> list[Vector]:
        batches = Batches(self.num_workers or WORKERS)
        token = _batches.set(batches)
        try:
            return await method(self, inputs, *args, **kwargs)
        except Exception as error:
            await batches.finish()
            batches.tell(error, inputs)
            raise
        finally:
            _batches.reset(token)

    return shell
