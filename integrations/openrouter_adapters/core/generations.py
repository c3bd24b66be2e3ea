"""`fetch_cost`: what a request was charged, asked for afterwards. OpenRouter knows it only a while after the answer.

https://openrouter.ai/docs/api-reference/get-a-generation
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, closing
from contextvars import copy_context
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from openrouter_adapters.core.account import tell
from openrouter_adapters.core.answer import Unreadable
from openrouter_adapters.core.arguments import checked_key, from_variables
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.costs import Unsettled
from openrouter_adapters.core.lookup import question
from openrouter_adapters.core.options import DEFAULT_BASE_URL
from openrouter_adapters.core.records import Tokens
from openrouter_adapters.core.request import Request, about_generation
from openrouter_adapters.core.usage import Cost
from openrouter_adapters.core.wire import bool_of, int_of, money_of, text_of

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 4.0  # seconds between two times of asking


def fetch_cost(
    generation_id: str,
    *,
    timeout: float = 10.0,
    api_key: SecretStr | str | None = None,
    base_url: str | None = None,
) -> Decimal | None:
    """What a request was charged, in USD; with an own provider key (BYOK) the provider's bill included.

    OpenRouter knows it only a while after the answer: it is asked again and again until it does.

    Args:
        generation_id: the ``id`` of an answer, or the ``generation_id`` of an error.
        timeout: seconds to wait for the cost to be known.
        api_key: the key that the request was made with; the environment's OPENROUTER_API_KEY by default.
        base_url: where it was made; the environment's OPENROUTER_BASE_URL, or else OpenRouter itself.

    Returns:
        The cost; None when OpenRouter knows of the request, and of no cost.

    Raises:
        NotFoundError: there is no such request, still not after ``timeout``.
        OpenRouterError: it could not be asked.
        ValueError: no key, or no id.
    """
    asked = _question(generation_id, api_key, base_url)
    waits = _waits(timeout)
    with closing(Client()) as client:
        while True:
            try:
                total = _cost(client.fetch(asked, _data).content).total
            except _not_found():
                if (wait := next(waits, None)) is None:
                    raise
            else:
                if total is not None or (wait := next(waits, None)) is None:
                    return total
            time.sleep(wait)


async def afetch_cost(
    generation_id: str,
    *,
    timeout: float = 10.0,
    api_key: SecretStr | str | None = None,
    base_url: str | None = None,
) -> Decimal | None:
    """As `fetch_cost`."""
    asked = _question(generation_id, api_key, base_url)
    waits = _waits(timeout)
    async with aclosing(Client()) as client:
        while True:
            try:
                total = _cost((await client.afetch(asked, _data)).content).total
            except _not_found():
                if (wait := next(waits, None)) is None:
                    raise
            else:
                if total is not None or (wait := next(waits, None)) is None:
                    return total
            await asyncio.sleep(wait)


def settle(calls: Sequence[Unsettled], timeout: float) -> None:
    """Ask what calls were charged, again and again until all is known or so many seconds are over.

    Raises:
        OpenRouterError: one of them could not be asked for, and the others were.
    """
    settling = _Settling(calls)
    waits = _waits(timeout)
    with closing(Client()) as client:
        while settling.pending:
            for call in settling.pending:
                try:
                    _learn(call, client.fetch(call.question, _data).content)
                except Exception as error:
                    settling.failed(call, error)
            if not settling.pending or (wait := next(waits, None)) is None:
                break
            time.sleep(wait)
    settling.end()


async def asettle(calls: Sequence[Unsettled], timeout: float) -> None:
    """As `settle`."""
    settling = _Settling(calls)
    waits = _waits(timeout)
    async with aclosing(Client()) as client:
        while settling.pending:
            for call in settling.pending:
                try:
                    found = (await client.afetch(call.question, _data)).content
                    await asyncio.to_thread(_learn, call, found)
                except Exception as error:
                    settling.failed(call, error)
            if not settling.pending or (wait := next(waits, None)) is None:
                break
            await asyncio.sleep(wait)
    settling.end()


class _Settling:
    """Which calls are still to be asked for. What is wrong with one, such as its key, keeps no other from it."""

    def __init__(self, calls: Sequence[Unsettled]) -> None:
        self._calls = list(calls)
        self._failures: list[Exception] = []

    @property
    def pending(self) -> list[Unsettled]:
        """The calls to ask for."""
        self._calls = [call for call in self._calls if not call.known]
        return self._calls

    def failed(self, call: Unsettled, error: Exception) -> None:
        """Take note of what came of asking for a call.

        Raises:
            OpenRouterError: the server itself has trouble: the others need not be asked for either.
        """
        if isinstance(error, _not_found()):
            return
        if getattr(error, "retryable", False):
            raise error
        self._failures.append(error)
        self._calls = [other for other in self._calls if other is not call]

    def end(self) -> None:
        """Tell of the first that could not be asked for.

        Raises:
            OpenRouterError: there was one.
        """
        for error in self._failures[:1]:
            raise error


def _waits(timeout: float) -> Iterator[float]:
    """Seconds between two times of asking, longer and longer, until the time is over."""
    deadline, wait = time.monotonic() + timeout, _FIRST_WAIT
    while (left := deadline - time.monotonic()) > 0:
        yield min(wait, left)
        wait = min(2 * wait, _LONGEST_WAIT)


def _not_found() -> type[Exception]:
    from openrouter_adapters.core.errors import NotFoundError

    return NotFoundError


def _question(generation_id: Any, api_key: SecretStr | str | None, base_url: str | None) -> Request:
    if not isinstance(generation_id, str) or not generation_id:
        raise ValueError(f"generation_id={generation_id!r}: give the id of an answer")
    key = checked_key(from_variables("api_key") if api_key is None else api_key)
    address = base_url or from_variables("base_url") or DEFAULT_BASE_URL
    return about_generation(question("", base_url=address, api_key=key), generation_id)


def _data(body: dict[str, Any]) -> dict[str, Any]:
    data = body.get("data")
    if not isinstance(data, dict):
        raise Unreadable("the answer says nothing of the generation")
    return data


def _cost(data: dict[str, Any]) -> Cost:
    """The cost in what ``/generation`` says, whose words are others than those of an answer's ``usage``."""
    return Cost(
        charged=money_of(data.get("total_cost")),
        upstream=money_of(data.get("upstream_inference_cost")),
        is_byok=bool_of(data.get("is_byok")),
    )


def _learn(call: Unsettled, data: dict[str, Any]) -> None:
    """Tell the scopes and the listeners what a call was charged, if that is known."""
    total = _cost(data).total
    if total is None:
        return
    record = call.record
    known = replace(
        record,
        model=record.model or text_of(data.get("model")),
        provider=record.provider or text_of(data.get("provider_name")),
        tokens=Tokens(
            input=int_of(data.get("native_tokens_prompt")) or 0,
            output=int_of(data.get("native_tokens_completion")) or 0,
            cached=int_of(data.get("native_tokens_cached")) or 0,
            reasoning=int_of(data.get("native_tokens_reasoning")) or 0,
        ),
        cost=total,
        priced=True,
        settled=True,
    )
    if call.learn(known):
        tell(known, copy_context())
