"""What the tests of core share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openrouter_adapters.core.client import Client


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()
