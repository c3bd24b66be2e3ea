"""What the tests of the command share: a gateway per test, and ways to run the command against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from openrouter_adapters.cli.app import app
from openrouter_adapters.cli.comparison import Comparison, compare_models
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.pytest_plugin import _openrouter_gateway_server, openrouter_gateway

__all__ = ["_openrouter_gateway_server", "openrouter_gateway"]

KEY = "sk-or-of-the-tests"


@pytest.fixture
def run(openrouter_gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the command with these words, in this process; the environment says where and with which key."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    return lambda *words, **more: CliRunner().invoke(app, [*map(str, words)], prog_name="openrouter-adapters", **more)


@pytest.fixture
def compare(openrouter_gateway: LocalGateway) -> Callable[..., list[Comparison]]:
    """`compare_models` against the gateway, without retries."""
    connection: dict[str, Any] = {"base_url": openrouter_gateway.base_url, "api_key": KEY, "max_retries": 0}
    return lambda prompt, models, **more: compare_models(prompt, models, **{**connection, **more})
