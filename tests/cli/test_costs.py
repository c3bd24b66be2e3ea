"""`openrouter-adapters costs`: what a ledger says, in the terminal, as JSON, CSV and a page."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from openrouter_adapters import RateLimitError
from openrouter_adapters.cli.words import one_line
from openrouter_adapters.core.ledger import Ledger
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

from ..making import making
from .calls import CALLS, CLAUDE, DAY, EVIL, GPT, NEXT, TOTAL
from .running import run


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "costs.db"
    written = Ledger(path)
    for call in CALLS:
        written.append(call)
    written.close()
    return path


def test_the_sums_and_a_table_for_each_grouping(ledger: Path) -> None:
    lines = run("costs", ledger).stdout.splitlines()
    assert lines[0] == (
        f"{ledger}, all calls: $0.300000011 for 5 calls, 1,107 tokens in (10 cached), 29 out (5 reasoning), "
        "1 call of unknown cost, 2 failures"
    )
    cells = {words[0]: words[1:] for line in lines if (words := line.split())}
    assert cells[GPT] == ["$0.300000010", "2", "1,100", "10", "21", "5", "0", "0"]
    assert cells[CLAUDE] == ["$0.000000000", "2", "7", "0", "8", "0", "1", "2"]
    assert cells["Azure"][:2] == ["$0.200000000", "1"]
    assert cells["a"][:2] == ["$0.300000010", "2"]
    assert cells["2026-11-25"][:2] == ["$0.300000010", "2"]
    heads = [line.split()[:2] for line in lines if line.startswith("by ")]
    assert heads == [["by", "model"], ["by", "provider"], ["by", "tag"], ["by", "day"]]


def test_columns_without_anything_in_them_are_left_out(ledger: Path) -> None:
    shown = run("costs", ledger, "--by", "model", "--until", "2026-11-25").stdout
    assert [line.split()[2:] for line in shown.splitlines() if line.startswith("by ")] == [
        ["cost", "calls", "tokens", "in", "cached", "out", "reasoning"]
    ]


def test_a_narrow_terminal(ledger: Path) -> None:
    lines = run("costs", ledger, columns=80).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:2] == [GPT, "$0.300000010"] for line in lines)


def test_by_what_was_asked_for(ledger: Path) -> None:
    shown = run("costs", ledger, "--by", "day", "--by", "provider", "--by", "day").stdout
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("by ")] == ["day", "provider"]


def test_a_period(ledger: Path) -> None:
    def total(*options: str) -> str:
        cost = json.loads(run("costs", ledger, "--json", *options).stdout)["total"]["cost"]
        assert isinstance(cost, str)
        return cost

    assert total("--since", "2026-11-26") == "0.000000001"
    assert total("--until", "2026-11-25") == "0.30000001"
    assert total("--since", "2026-11-25", "--until", "2026-11-26") == TOTAL
    assert total("--since", DAY.isoformat(), "--until", (DAY + timedelta(seconds=1)).isoformat()) == "0.30000001"


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_no_digit_is_cut_off_however_narrow_the_terminal(ledger: Path, columns: int) -> None:
    shown = run("costs", ledger, "--by", "model", columns=columns).stdout
    line = next(line for line in shown.splitlines() if "$0.300000010" in line)
    assert line.split()[2:5] == ["2", "1,100", "21"], "calls, tokens in, out"


def test_a_ledger_that_cannot_be_written_is_read_and_nothing_is_left_beside_it(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # as on a read-only disk, for root as well
    (ledger.parent / f"{ledger.name}-shm").mkdir()  # and SQLite cannot make its files there
    assert f"${TOTAL}" in run("costs", ledger, "--by", "day").stdout
    other = ledger.with_name("other.db")
    other.write_text("no ledger")
    assert "no SQLite database" in run("costs", other, code=2).stderr
    assert {path.name for path in ledger.parent.iterdir()} == {ledger.name, f"{ledger.name}-shm", "other.db"}


def test_json_has_everything_to_the_last_digit(ledger: Path) -> None:
    told = json.loads(run("costs", ledger, "--json", "--since", "2026-11-01").stdout)
    assert told["ledger"] == str(ledger) and told["since"] == "2026-11-01T00:00:00+00:00" and told["until"] is None
    assert told["total"] == {
        "cost": TOTAL,
        "calls": 5,
        "unpriced_calls": 1,
        "failures": 2,
        "input_tokens": 1107,
        "output_tokens": 29,
        "cached_tokens": 10,
        "cache_write_tokens": 0,
        "reasoning_tokens": 5,
    }
    assert [line["model"] for line in told["by_model"]] == [GPT, EVIL, CLAUDE]
    assert [line["tag"] for line in told["by_tag"]] == ["a", "b", "=1+1", None]
    assert [line["day"] for line in told["by_day"]] == [str(DAY.date()), str(NEXT.date())]


def test_csv_is_one_table_and_no_formula(ledger: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("costs", ledger, "--csv").stdout)))
    assert [row["name"] for row in rows if row["by"] == "model"] == [GPT, f"'{one_line(EVIL)}", CLAUDE]
    assert [row["name"] for row in rows if row["by"] == "tag"] == ["a", "b", "'=1+1", ""]
    [total] = [row for row in rows if row["by"] == "total"]
    assert (total["cost"], total["calls"], total["input_tokens"]) == (TOTAL, "5", "1107")
    assert sum(Decimal(row["cost"]) for row in rows if row["by"] == "day") == Decimal(TOTAL)


def test_a_page(ledger: Path, tmp_path: Path) -> None:
    page = tmp_path / "costs.html"
    assert "by model" in run("costs", ledger, "--html", page).stdout
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 4 and text.count("<table") == 4 and "$0.300000011" in text
    assert "<b>" not in text and "\x1b" not in text
    assert run("costs", ledger, "--html", "-").stdout.startswith("<!DOCTYPE html>")


def test_nothing_steers_the_terminal(ledger: Path) -> None:
    shown = run("costs", ledger).stdout
    assert "\x1b" not in shown and "=cmd|'/c'!A1/<b>" in shown


def test_the_environment_names_the_ledger(ledger: Path) -> None:
    assert TOTAL in run("costs", "--json", OPENROUTER_LEDGER=str(ledger)).stdout


def test_a_database_url(ledger: Path) -> None:
    pytest.importorskip("sqlalchemy")
    assert TOTAL in run("costs", f"sqlite:///{ledger}", "--json").stdout


def test_long_tables_are_cut_unless_all_is_wanted(ledger: Path) -> None:
    result = run("costs", ledger, "--by", "day", "--by", "tag", "--limit", 1)
    assert "2026-11-26" in result.stdout and "2026-11-25" not in result.stdout, "of days the last"
    assert "1 of 2 lines by day are shown" in result.stderr and "1 of 4 lines by tag" in result.stderr
    assert run("costs", ledger, "--limit", 0).stderr == ""


def test_what_a_program_spent(openrouter_gateway: LocalGateway, tmp_path: Path) -> None:
    path = tmp_path / "costs.db"
    openrouter_gateway.reply("Hello", cost=0.0000471)
    openrouter_gateway.reply("Hello", cost=0.1)
    openrouter_gateway.fault("rate_limit", match="fail")
    with making(ChatOpenRouter, openrouter_gateway, model="openai/gpt-4o-mini", api_key="any") as make, Ledger(path):
        make().invoke("Hello")
        make().invoke("Hello")
        with pytest.raises(RateLimitError):
            make().invoke("fail")
    told = json.loads(run("costs", path, "--json", "--since", "1h").stdout)
    assert (told["total"]["cost"], told["total"]["calls"], told["total"]["failures"]) == ("0.1000471", 2, 1)
    assert told["by_provider"][0]["provider"] == "OpenAI"


def test_an_empty_ledger_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    Ledger(path).close()
    result = run("costs", path)
    assert (result.stdout, result.stderr) == ("", f"The ledger {path} has no calls.\n")
    assert json.loads(run("costs", path, "--json").stdout)["total"]["calls"] == 0


def test_a_period_without_calls_says_so(ledger: Path) -> None:
    result = run("costs", ledger, "--until", "2020-01-01")
    assert result.stderr == f"The ledger {ledger} has no calls until 2020-01-02 00:00 UTC.\n"


def test_a_ledger_without_tags_has_no_table_of_them(tmp_path: Path) -> None:
    path = tmp_path / "costs.db"
    written = Ledger(path)
    written.append(CALLS[2])
    written.close()
    shown = run("costs", path, "--html", page := tmp_path / "page.html").stdout
    assert "by provider" in shown and "by tag" not in shown and "no tag" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["{}/no.db", "sqlite:///{}/no.db", "sqlite+pysqlite:///{}/no.db?timeout=5"])
def test_a_ledger_that_is_not_there_is_not_made(name: str, tmp_path: Path) -> None:
    result = run("costs", name.format(tmp_path), code=1)
    assert result.stderr == f"Error: there is no ledger at {tmp_path}/no.db\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"Dear diary,\n" * 1000])
def test_a_file_that_is_no_ledger_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    result = run("costs", path, code=2)
    assert result.stderr.count("\n") == 1 and str(path) in result.stderr
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_nothing_is_made_in_somebody_else_s_database(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE others (id)")
    assert run("costs", path, code=2).stderr == f"Error: {path} is no ledger: it has no table of calls\n"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("others",)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--json", "--csv"), "give one of them"),
        (("--json", "--html", "-"), "give one of them"),
        (("--since", "soon"), "'soon' is no point in time"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "before it begins"),
        (("--by", "colour"), "colour"),
    ],
)
def test_what_cannot_be_is_refused(options: tuple[str, ...], said: str, ledger: Path) -> None:
    assert said in run("costs", ledger, *options, code=2, columns=200).stderr


def test_without_a_ledger_it_is_asked_for() -> None:
    assert "OPENROUTER_LEDGER" in run("costs", code=2).stderr


def test_a_page_that_cannot_be_written_is_one_line(ledger: Path, tmp_path: Path) -> None:
    result = run("costs", ledger, "--html", tmp_path / "no" / "page.html", code=1)
    assert result.stderr.count("\n") == 1 and "cannot be written" in result.stderr and result.stdout == ""
