"""Many requests that belong together: so many at once, and what one failure must not lose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from openrouter_adapters.core.answer import Answer
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.wire import known


async def at_once(jobs: Iterable[Callable[[], Awaitable[object]]], limit: int) -> list[BaseException]:
    """Do jobs side by side. After a failure none is begun any more; those under way are waited for: they are paid.

    Args:
        jobs: what to do.
        limit: how many at once.

    Returns:
        What failed, in the order of time; nothing when all is done.
    """
    failures: list[BaseException] = []
    waiting = iter(jobs)

    async def work(jobs: Iterator[Callable[[], Awaitable[object]]]) -> None:
        for job in jobs:
            if failures:
                return
            try:
                await job()
            except BaseException as error:
                failures.append(error)
                if not isinstance(error, Exception):
                    raise

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(work(waiting))
    return failures


def spent(error: BaseException) -> list[Answer[list[Any]]]:
    """What a request took that failed after it was paid, and each of its tries; nothing for any other."""
    from openrouter_adapters.core.errors import OpenRouterError

    if not isinstance(error, OpenRouterError):
        return []
    paid = [reply for one in (*error.failed_tries, error) if (reply := one.partial)]
    return [Answer([], usage=r.usage, model=r.model, provider=r.provider, id=r.id) for r in paid]


def tell_rest(
    error: BaseException,
    failures: Sequence[BaseException],
    paid: Sequence[Answer[Any]],
    vectors: Sequence[list[float] | None],
) -> None:
    """Put into an error what the other requests brought and took: it is paid, and must not be lost.

    Args:
        error: one of the failures, which will be raised.
        failures: of all requests.
        paid: what each request took, that of the failures included.
        vectors: one for each input, None where there is none.
    """
    from openrouter_adapters.core.errors import OpenRouterError

    for other in failures:
        if other is not error:
            error.add_note(f"Another of the requests failed too: {other!r}")
    if not isinstance(error, OpenRouterError):
        return
    error.vectors = list(vectors)
    if paid:
        facts = Answer.of(paid, None)
        own = error.partial or Reply(**known(model=facts.model, provider=facts.provider, id=facts.id))
        error.partial = replace(own, usage=facts.usage)
