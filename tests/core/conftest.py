"""What the tests of core share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openrouter_adapters.core import tries
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.tries import wait_before_retry


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retries without the waiting; what would have been waited."""
    waits: list[float] = []

    def noted(*given: Any) -> float | None:
        wait = wait_before_retry(*given)
        waits.extend([] if wait is None else [wait])
        return wait and 0.0

    monkeypatch.setattr(tries, "wait_before_retry", noted)
    return waits
