"""What every test shares: a clean environment, and the recordings of real traffic."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from openrouter_adapters.core import tries
from openrouter_adapters.core.tries import wait_before_retry

from .certificates import Certificate
from .certificates import make as make_certificate

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures"
FOREIGN_VARIABLES = ("OPENROUTER_", "OPENAI_", "LANGSMITH", "LANGCHAIN")

# Until somebody says that there is none, the first who asks for "the" event loop is given a new one that nobody closes.
asyncio.set_event_loop(None)

# A slow machine is no defect.
settings.register_profile("suite", settings(), deadline=None)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, address or tracing switch of the machine reaches a test."""
    for name in [name for name in os.environ if name.startswith(FOREIGN_VARIABLES)]:
        monkeypatch.delenv(name)


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for loopback that nobody has signed but itself."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def captures() -> list[dict[str, Any]]:
    """Every recording, with its file's stem under ``name``. Read-only: all tests share it."""
    if not CAPTURES.is_dir():
        pytest.skip("the recordings (../shared/captures) are not here")
    return [{"name": path.stem, **json.loads(path.read_bytes())} for path in sorted(CAPTURES.glob("*.json"))]
