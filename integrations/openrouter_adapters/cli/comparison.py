"""`compare_models`: several models asked the same at the same time, and what each took."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from openrouter_adapters.cli.frameworks import FRAMEWORKS, Asking, Piece, chosen
from openrouter_adapters.core.costs import CostTracker, track_costs
from openrouter_adapters.core.records import Tokens
from openrouter_adapters.core.wire import known


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What one model said, and what that took. What is not known is None.

    Attributes:
        model: the model asked for.
        run: 1; more, where the same model is asked several times.
        served_model: the model that answered.
        provider: the upstream that answered, or failed (a display name).
        text: the answer; what had come of it, when it failed.
        first_token: seconds until the first piece of the answer, or of the reasoning before it, was there.
        seconds: until the end: of the answer, or of its failing. Connecting and retries are in both times.
        tokens: token counts.
        cost: USD for all tries, exact; with an own provider key (BYOK) the provider's bill included.
        error: what went wrong; None when nothing did.
        finish_reason: why the answer ended.
        id: the generation id.
        fallback_used: whether another model than the one asked for answered.
        done: whether this is the end; False in what `on_progress` is told on the way.
    """

    model: str
    run: int = 1
    served_model: str | None = None
    provider: str | None = None
    text: str = ""
    first_token: float | None = None
    seconds: float = 0.0
    tokens: Tokens | None = None
    cost: Decimal | None = None
    error: Exception | None = None
    finish_reason: str | None = None
    id: str | None = None
    fallback_used: bool | None = None
    done: bool = True

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens of the answer (reasoning included) by the whole time that it took."""
        return self.tokens.output / self.seconds if self.tokens and self.tokens.output and self.seconds else None

    @property
    def name(self) -> str:
        """The model, and which of its runs this is from the second on."""
        return self.model if self.run == 1 else f"{self.model} #{self.run}"

    def counted(self, kind: str) -> int | None:
        """Tokens of one kind: ``input``, ``output``, ``cached``, ``cache_write`` or ``reasoning``."""
        return None if self.tokens is None else int(getattr(self.tokens, kind))

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name: text, numbers, None. The cost is a `Decimal`, the error its class and its message."""
        error = self.error
        kinds = ("input", "output", "cached", "reasoning")
        return {
            "model": self.model,
            "run": self.run,
            "served_model": self.served_model,
            "provider": self.provider,
            "text": self.text,
            "first_token": _rounded(self.first_token),
            "seconds": _rounded(self.seconds),
            "tokens_per_second": _rounded(self.tokens_per_second),
            **{f"{kind}_tokens": self.counted(kind) for kind in kinds},
            "cost": self.cost,
            "finish_reason": self.finish_reason,
            "id": self.id,
            "fallback_used": self.fallback_used,
            "error": error and type(error).__name__,
            "error_message": error and str(error),
        }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


Progress = Callable[[Comparison], None]


def compare_models(
    prompt: str,
    models: Iterable[str],
    *,
    framework: str | None = None,
    system: str | None = None,
    on_progress: Progress | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    **options: Any,
) -> list[Comparison]:
    """Ask several models the same, all at once, and tell what each said and took.

    A model that fails does not stop the others: its error is in its `Comparison`. Within a running event loop (a
    notebook) it works too, in a thread of its own; `acompare_models` is for code that is async itself.

    Args:
        prompt: the user's message.
        models: slugs; a model that stands there twice is asked twice.
        framework: ``langchain`` or ``llamaindex``; None: the first of them that is installed.
        system: the system message; None: none.
        on_progress: is called with each model's state at its start, with each piece and at its end.
        base_url: None: the environment's, or OpenRouter's.
        api_key: None: the environment's.
        **options: any option of `ChatOpenRouter` and `OpenRouter`: ``max_tokens``, ``provider``, ``timeout`` ...

    Returns:
        One for each model, in their order.

    Raises:
        ValueError: no prompt, no models, no API key, or an option of a wrong value; nothing was sent.
        TypeError: an option that nobody knows; nothing was sent.
        ImportError: the framework is not installed.
    """
    comparing = acompare_models(
        prompt,
        models,
        framework=framework,
        system=system,
        on_progress=on_progress,
        base_url=base_url,
        api_key=api_key,
        **options,
    )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(comparing)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, asyncio.run, comparing).result()


async def acompare_models(
    prompt: str,
    models: Iterable[str],
    *,
    framework: str | None = None,
    system: str | None = None,
    on_progress: Progress | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    **options: Any,
) -> list[Comparison]:
    """As `compare_models`, in the running event loop."""
    wanted = _checked(prompt, models)
    make = FRAMEWORKS[chosen(framework)]
    given = {**known(base_url=base_url, api_key=api_key), **options}
    async with AsyncExitStack() as stack:
        askings: list[Asking] = []
        for comparison in wanted:
            askings.append(make(model=comparison.model, **given))
            stack.push_async_callback(askings[-1].aclose)
        await stack.enter_async_context(_EarlyUser())
        return await _all_at_once(
            [
                _followed(_states(start, asking, prompt, system), on_progress)
                for start, asking in zip(wanted, askings, strict=True)
            ]
        )


def _checked(prompt: str, models: Iterable[str]) -> list[Comparison]:
    """The start of each comparison."""
    slugs = [models] if isinstance(models, str) else list(models)
    if not prompt.strip():
        raise ValueError("prompt is empty: say what the models are to be asked")
    if not slugs:
        raise ValueError("models is empty: name at least one, such as 'openai/gpt-5-mini'")
    if not all(slug.strip() for slug in slugs):
        raise ValueError(f"models has an empty slug: {slugs}")
    runs: Counter[str] = Counter()
    starts = []
    for slug in slugs:
        runs[slug] += 1
        starts.append(Comparison(model=slug, run=runs[slug], done=False))
    return starts


class _EarlyUser:
    """Who has openai loaded and its client made before the clock runs: else the first model would seem slower."""

    async def __aenter__(self) -> None:
        from openrouter_adapters.core import connections, exchange, network

        assert exchange and network  # loaded with the first request
        await connections.shared.for_loop(self)

    async def __aexit__(self, *_: object) -> None:
        from openrouter_adapters.core import connections

        await connections.shared.leave_loop(self)


async def _all_at_once(runs: Sequence[Any]) -> list[Comparison]:
    """Run them side by side; what one raises (a caller's `on_progress` did) ends all of them, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run) for run in runs]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _followed(states: AsyncGenerator[Comparison], on_progress: Progress | None) -> Comparison:
    async with aclosing(states):
        async for state in states:
            if on_progress:
                on_progress(state)
    return state


async def _states(state: Comparison, asking: Asking, prompt: str, system: str | None) -> AsyncGenerator[Comparison]:
    """The comparison as it grows: its start, a state for each piece, its end."""
    yield state
    began = time.perf_counter()
    with track_costs() as costs:
        try:
            async with aclosing(asking.pieces(prompt, system)) as pieces:
                async for piece in pieces:
                    state = _grown(state, piece, time.perf_counter() - began)
                    yield state
            facts: dict[str, Any] = {}
        except Exception as error:
            facts = {"error": error, **_told_by(error)}
    yield replace(state, seconds=time.perf_counter() - began, done=True, **facts, cost=_charged(costs))


def _grown(state: Comparison, piece: Piece, seconds: float) -> Comparison:
    first = seconds if state.first_token is None and (piece.text or piece.thought) else state.first_token
    return replace(state, text=state.text + piece.text, first_token=first, seconds=seconds, **piece.facts)


def _charged(costs: CostTracker) -> Decimal | None:
    """What all tries were charged; None when that of one is unknown, or none came to anything."""
    return costs.total if costs.calls and not costs.unpriced_calls else None


def _told_by(error: Exception) -> dict[str, Any]:
    """What an error knows of the answer that had begun, and of who failed."""
    partial: Any = getattr(error, "partial", None)
    told = known(provider=getattr(error, "provider", None), id=getattr(error, "generation_id", None))
    if partial is None:
        return told
    return told | known(
        text=partial.text or None,
        served_model=partial.model,
        provider=partial.provider,
        id=partial.id,
        finish_reason=partial.finish_reason,
        tokens=partial.usage and Tokens.of(partial.usage),
    )
