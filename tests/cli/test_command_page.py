"""The page of the command shows what the command says."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from openrouter_adapters.core.ledger import Ledger
from openrouter_adapters.core.records import CallRecord, Tokens
from openrouter_adapters.gateway import LocalGateway

from .running import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command.md"
SESSION = re.compile(r"^```console\n\$ openrouter-adapters (.*)\n((?:.*\n)*?)```$", re.MULTILINE)
GPT, CLAUDE = "openai/gpt-5-mini", "anthropic/claude-haiku-4.5"
SPENT = [
    (GPT, "OpenAI", "0.0000171", Tokens(50, 30), "team:search"),
    (GPT, "OpenAI", "0.00003", Tokens(70, 40), "team:search"),
    (GPT, "OpenAI", "0.0003", Tokens(1_000, 150, reasoning=150), "nightly"),
    (CLAUDE, "Anthropic", "0.015", Tokens(2_000, 200, cached=1_000), "nightly"),
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a ledger in it."""
    monkeypatch.chdir(tmp_path)
    ledger = Ledger("costs.db")
    for model, provider, cost, took, tag in SPENT:
        time = datetime(2026, 11, 26, tzinfo=UTC)
        ledger.append(
            CallRecord(time=time, model=model, provider=provider, cost=Decimal(cost), tokens=took, tags=(tag,))
        )
    ledger.close()


def test_the_commands_of_the_page_say_what_it_shows(desk: None, openrouter_gateway: LocalGateway) -> None:
    sessions = SESSION.findall(PAGE.read_text(encoding="utf-8"))
    assert len(sessions) == 4
    for command, shown in sessions:
        environment = {"OPENROUTER_BASE_URL": openrouter_gateway.base_url, "OPENROUTER_API_KEY": "sk-of-the-newcomer"}
        said = run(*shlex.split(command), columns=105, **environment).output
        assert [line.rstrip() for line in said.splitlines()] == shown.splitlines(), command
