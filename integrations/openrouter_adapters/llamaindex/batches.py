"""Many texts or pictures, batch by batch: what each batch brought, and what all of them took.

LlamaIndex's own methods throw away what the other batches brought when one fails, and, async, go on to send and pay
those that nobody waits for any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import repeat
from typing import Any, Generic, TypeVar

from llama_index.core.utils import get_tqdm_iterable

from openrouter_adapters.core.answer import Answer
from openrouter_adapters.core.batches import at_once, spent, tell_rest
from openrouter_adapters.core.embeddings import Vector

T = TypeVar("T")

Done = Callable[[list[Vector]], None]
"""Tells LlamaIndex that a batch has its vectors."""

_paid: ContextVar[list[Answer[Any]] | None] = ContextVar("_paid", default=None)


def in_batches() -> bool:
    """Whether what is sent now belongs to a call of many batches."""
    return _paid.get() is not None


@contextmanager
def noted() -> Generator[Callable[[Answer[Any]], None]]:
    """What is sent in this block is noted by the call of many batches that it belongs to, if to any.

    It gives a function that takes the answer; a failure it sees by itself.
    """
    call = _paid.get()
    paid: list[Answer[Any]] = [] if call is None else call
    try:
        yield paid.append
    except Exception as error:
        paid.extend(spent(error))
        raise


class Batches(Generic[T]):
    """One call of many batches.

    Args:
        inputs: what is embedded, checked.
        size: how many go into a batch.
        told: tells LlamaIndex of a batch: of its begin, and of its end however it ends.
        show_progress: whether there is a progress bar.
    """

    def __init__(
        self,
        inputs: Sequence[T],
        size: int,
        told: Callable[[list[T]], AbstractContextManager[Done]],
        show_progress: bool,
    ) -> None:
        self._batches = [list(inputs[start : start + size]) for start in range(0, len(inputs), size)]
        self._vectors: list[list[Vector] | None] = [None] * len(self._batches)
        self._paid: list[Answer[Any]] = []
        self._failures: list[BaseException] = []
        self._told = told
        self._show_progress = show_progress

    def run(self, embed: Callable[[list[T]], list[Vector]]) -> list[Vector]:
        """The vectors of all inputs in their order, one batch after the other.

        Args:
            embed: embeds a batch.
        """
        with self._noting() as places:
            for at in places:
                with self._told(self._batches[at]) as done:
                    done(self._matched(at, embed(self._batches[at])))
        return self._whole()

    async def arun(self, embed: Callable[[list[T]], Awaitable[list[Vector]]], limit: int) -> list[Vector]:
        """As `run`, so many batches at once."""

        async def one(at: int) -> None:
            with self._told(self._batches[at]) as done:
                done(self._matched(at, await embed(self._batches[at])))

        with self._noting() as places:
            self._failures = await at_once((partial(one, at) for at in places), min(limit, len(self._batches)))
            if self._failures:
                raise self._failures[0]
        return self._whole()

    @contextmanager
    def _noting(self) -> Generator[Iterable[int]]:
        """The places of the batches, with a progress bar; what they take is noted, and told by a failure."""
        outer, token = _paid.get(), _paid.set(self._paid)
        try:
            with _progress(len(self._batches), self._show_progress) as places:
                yield places
        except Exception as error:
            tell_rest(error, self._failures or [error], self._paid, self._by_place())
            raise
        finally:
            _paid.reset(token)
            if outer is not None:  # this call is part of another's batch
                outer.extend(self._paid)

    def _matched(self, at: int, vectors: list[Vector]) -> list[Vector]:
        """A batch's vectors, kept.

        Raises:
            ValueError: they cannot be matched with their inputs.
        """
        if len(vectors) != (count := len(self._batches[at])):
            raise ValueError(f"a batch of {count} was embedded with {len(vectors)} vectors: there must be one for each")
        self._vectors[at] = vectors
        return vectors

    def _by_place(self) -> list[Vector | None]:
        placed = zip(self._vectors, self._batches, strict=True)
        return [vector for vectors, batch in placed for vector in vectors or repeat(None, len(batch))]

    def _whole(self) -> list[Vector]:
        return [vector for vectors in self._vectors for vector in vectors or ()]


@contextmanager
def _progress(count: int, shown: bool) -> Generator[Iterable[int]]:
    """The numbers below a count, with LlamaIndex's progress bar, which is closed on every path."""
    places = iter(get_tqdm_iterable(range(count), shown, "Generating embeddings"))
    try:
        yield places
    finally:
        if isinstance(places, Generator):
            places.close()
