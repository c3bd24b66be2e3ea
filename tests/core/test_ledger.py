"""The ledger: every call, once, whatever becomes of the process; in a file, and in what SQLAlchemy reaches."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from openrouter_adapters import OpenRouterError
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.costs import track_costs
from openrouter_adapters.core.ledger import Ledger
from openrouter_adapters.core.ledger_rows import COLUMNS, PAGE, row_of
from openrouter_adapters.core.records import CallRecord, Tokens
from openrouter_adapters.gateway import LocalGateway

from .asking import KEY, Ask, complete, request, ways

SOURCE = Path(__file__).resolve().parents[2] / "integrations"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FULL = CallRecord(
    time=NOON + timedelta(microseconds=7),
    seconds=1.25,
    endpoint="/rerank",
    requested_model="a/asked",
    model="a/served",
    provider="Some Provider",
    id="gen-1",
    tokens=Tokens(5, 4, 3, 2, 1),
    cost=Decimal("0.000000000000000000012300"),
    priced=False,
    served=False,
    outcome="RateLimitError",
    status_code=429,
    tags=("team:blue", "ünï, \"quoted\" and 'so' on"),
)
PLACES: dict[str, Callable[[Path], Any]] = {
    "path": lambda folder: folder / "new" / "costs.db",
    "text": lambda folder: str(folder / "new" / "costs.db"),
    "url": lambda folder: f"sqlite:///{folder}/new/costs.db",
    "url object": lambda folder: sa.make_url(f"sqlite:///{folder}/new/costs.db"),
    "engine": lambda folder: sa.create_engine(f"sqlite:///{folder}/new/costs.db"),
}


@pytest.fixture(params=PLACES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = PLACES[request.param](tmp_path)
    yield made
    if isinstance(made, sa.Engine):
        made.dispose()


@pytest.fixture
def ledger(target: Any) -> Iterator[Ledger]:
    made = Ledger(target)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "costs.db"


def a_call(number: int = 0, **facts: Any) -> CallRecord:
    given = {"time": NOON + timedelta(seconds=number), "id": f"gen-{number}", "cost": Decimal("0.1"), **facts}
    return CallRecord(**given)


def rows(file: Path, statement: str = "SELECT * FROM calls ORDER BY id") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def in_process(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process that runs a script, in which there are `Ledger` and, for records, `call`."""
    head = (
        "import os, sys, threading, time\n"
        "from datetime import datetime, timedelta, timezone\n"
        "from decimal import Decimal\n"
        "from openrouter_adapters.core.ledger import Ledger\n"
        "from openrouter_adapters.core.records import CallRecord\n"
        "def call(number, tag=''):\n"
        "    return CallRecord(id=f'{tag}{number}', cost=Decimal('0.1'))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", head + script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def finished(process: subprocess.Popen[str]) -> str:
    try:
        out, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
    return out


# ---- what is written is what is read


def test_every_field_comes_back(ledger: Ledger) -> None:
    bare = CallRecord(time=FULL.time + timedelta(1))
    assert all(
        getattr(FULL, field.name) != getattr(bare, field.name) for field in fields(FULL) if field.name != "settled"
    )
    for record in (FULL, bare):
        ledger.append(record)
    assert [*ledger.records()] == [FULL, bare]
    assert str(next(ledger.records()).cost) == str(FULL.cost)


def test_sums_are_exact(ledger: Ledger) -> None:
    for number in range(30):
        ledger.append(a_call(number, model=f"m/{number % 2}", tags=("t",), tokens=Tokens(2, 1)))
    costs = ledger.costs()
    assert (costs.total, costs.calls, costs.tokens) == (Decimal("3.0"), 30, Tokens(60, 30))
    assert {name: sums.cost for name, sums in costs.by_model.items()} == {"m/0": Decimal("1.5"), "m/1": Decimal("1.5")}
    assert costs.by_tag["t"].calls == costs.by_day["2026-11-26"].calls == 30


def test_calls_come_in_the_order_in_which_they_were_sent(ledger: Ledger) -> None:
    sent = [a_call(number) for number in (3, 1, 2)]
    twin = replace(sent[1], id="gen-twin")
    for record in (*sent, twin):
        ledger.append(record)
    assert [*ledger.records()] == [sent[1], twin, sent[2], sent[0]]


def test_a_time_is_from_its_start_to_before_its_end(ledger: Ledger) -> None:
    for number in range(5):
        ledger.append(a_call(number))

    def found(since: datetime | None, until: datetime | None) -> list[str | None]:
        assert ledger.costs(since, until).calls == len([*ledger.records(since, until)])
        return [record.id for record in ledger.records(since, until)]

    second = timedelta(seconds=1)
    assert found(NOON + second, NOON + 3 * second) == ["gen-1", "gen-2"]
    assert found(None, NOON + second) == ["gen-0"]
    assert found((NOON + 4 * second).astimezone(timezone(timedelta(hours=-7))), None) == ["gen-4"]
    assert found(NOON + timedelta(1), None) == []


def test_a_time_without_a_zone_is_an_error(ledger: Ledger) -> None:
    naive = NOON.replace(tzinfo=None)
    for name in ("since", "until"):
        with pytest.raises(ValueError, match=rf"{name}=.* has no time zone: give one"):
            ledger.records(**{name: naive})
    with pytest.raises(ValueError, match=r"record\.time=.* has no time zone"):
        ledger.append(a_call(time=naive))
    assert [*ledger.records()] == []


def test_many_are_read_page_by_page_as_of_one_moment(ledger: Ledger, tmp_path: Path) -> None:
    # Several at a time, also where a page ends.
    sent = [a_call(number // 3, id=f"gen-{number}") for number in range(2 * PAGE + 1)]
    with closing(sqlite3.connect(tmp_path / "new" / "costs.db")) as connection, connection:
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO calls VALUES (NULL, {marks})", [row_of(record) for record in sent])
    arriving = ledger.records()
    first = next(arriving)
    ledger.append(a_call(10_000))
    ledger.append(replace(first, cost=Decimal(9), settled=True))
    ledger.append(replace(sent[-100], cost=Decimal(9), settled=True))
    assert [first, *arriving] == sent
    assert ledger.costs().total == Decimal("0.1") * 2 * PAGE + 18


@pytest.mark.parametrize("text", ["\ud83d", "a\0b", "\udcff\0"])
def test_text_that_a_database_refuses_costs_no_record(ledger: Ledger, text: str) -> None:
    strange = a_call(model=text, provider=text, id=text, tags=(text,), tokens=Tokens(input=2**70))
    ledger.append(strange)
    (found,) = ledger.records()
    assert (found.cost, found.tags, found.tokens.input) == (strange.cost, (text,), 2**63 - 1)


# ---- what is learned later


def test_a_settled_call_counts_once(ledger: Ledger) -> None:
    unpriced = a_call(1, cost=None, priced=False, outcome="IncompleteStreamError")
    others = [a_call(0), a_call(2, id=unpriced.id), replace(unpriced, id=None), replace(unpriced, id="gen-other")]
    for record in (unpriced, *others):
        ledger.append(record)
    assert ledger.costs().unpriced_calls == 3
    for cost in ("0.5", "0.25"):
        ledger.append(replace(unpriced, cost=Decimal(cost), priced=True, settled=True))
    costs = ledger.costs()
    assert (costs.calls, costs.total, costs.unpriced_calls) == (5, Decimal("0.45"), 2)
    (settled,) = [record for record in costs.records if record.settled]
    assert (settled.time, settled.outcome) == (unpriced.time, unpriced.outcome)


def test_settling_changes_nothing_that_was_written(file: Path) -> None:
    with closing(Ledger(file)) as ledger:
        ledger.append(a_call(cost=None, priced=False))
        before = rows(file)
        ledger.append(replace(a_call(), settled=True))
        assert rows(file)[:1] == before and len(rows(file)) == 2
    for later in ("UPDATE", "DELETE"):
        assert not any(later in path.read_text() for path in SOURCE.glob("openrouter_adapters/core/ledger*.py"))


def test_a_settled_call_that_was_not_there_is_one(ledger: Ledger) -> None:
    ledger.append(replace(a_call(), settled=True))
    ledger.append(a_call())  # told of in the wrong order
    assert [*ledger.records()] == [replace(a_call(), settled=True)]


def test_a_settled_call_has_an_id(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="is settled and has no id"):
        ledger.append(a_call(id=None, settled=True))


# ---- many hands


def test_each_kind_reads_what_the_other_wrote(tmp_path: Path) -> None:
    for number, place in enumerate(PLACES.values()):
        with closing(Ledger(place(tmp_path))) as ledger:
            ledger.append(a_call(number))
            assert ledger.costs().calls == number + 1


def test_many_threads_write_at_once(ledger: Ledger) -> None:
    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(ledger.append, a_call(number)) for number in range(200)]:
            future.result()
    assert [record.id for record in ledger.records()] == [f"gen-{number}" for number in range(200)]


@pytest.mark.parametrize(("kind", "processes", "calls"), [("path", 8, 200), ("url", 3, 50)])
def test_many_processes_write_at_once(tmp_path: Path, kind: str, processes: int, calls: int) -> None:
    script = (
        "ledger, name, calls = Ledger(sys.argv[1]), sys.argv[2], int(sys.argv[3])\n"
        "for number in range(calls): ledger.append(call(number, name + '-'))\n"
        "assert ledger.costs().calls >= calls\n"
    )
    target = PLACES[kind](tmp_path)  # made by all of them together
    for process in [in_process(script, target, number, calls) for number in range(processes)]:
        finished(process)
    with closing(Ledger(target)) as ledger:
        found = {record.id for record in ledger.records()}
    assert found == {f"{process}-{number}" for process in range(processes) for number in range(calls)}


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)", "print('.', flush=True); time.sleep(600)"])
def test_nothing_is_lost_with_its_process(file: Path, end: str) -> None:
    script = f"ledger = Ledger(sys.argv[1])\nfor number in range(50): ledger.append(call(number))\n{end}\n"
    process = in_process(script, file)
    assert process.stdout is not None
    if "sleep" in end:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    with closing(Ledger(file)) as ledger:
        assert {record.id for record in ledger.records()} == {str(number) for number in range(50)}


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@forks
@pytest.mark.parametrize("kind", ["path", "url"])
def test_a_child_writes_on_when_its_parent_is_done(tmp_path: Path, kind: str) -> None:
    """SQLite's locks are a process's: a child that took its parent's for its own would write where nobody reads."""
    script = (
        "ledger = Ledger(sys.argv[1])\n"
        "ledger.append(call('parent'))\n"
        "parent_is_done, tell = os.pipe()\n"
        "if os.fork():\n"
        "    ledger.close()\n"
        "    os.write(tell, b'.')\n"
        "    assert os.wait()[1] == 0\n"
        "else:\n"
        "    ledger.append(call('child'))\n"
        "    os.read(parent_is_done, 1)\n"
        "    for number in range(3): ledger.append(call(number))\n"
        "    os._exit(0)\n"
    )
    target = PLACES[kind](tmp_path)
    finished(in_process(script, target))
    with closing(Ledger(target)) as ledger:
        assert {record.id for record in ledger.records()} == {"parent", "child", "0", "1", "2"}


@forks
@pytest.mark.parametrize("kind", ["path", "url"])
def test_forks_in_the_midst_of_writing(tmp_path: Path, kind: str) -> None:
    script = (
        "ledger, over = Ledger(sys.argv[1]), threading.Event()\n"
        "def write(name):\n"
        "    for number in range(100): ledger.append(call(number, name))\n"
        "threads = [threading.Thread(target=write, args=(name,)) for name in 'ab']\n"
        "for thread in threads: thread.start()\n"
        "for child in range(10):\n"
        "    if not os.fork():\n"
        "        ledger.append(call(child, 'child'))\n"
        "        os._exit(0)\n"
        "for thread in threads: thread.join()\n"
        "for child in range(10): assert os.wait()[1] == 0\n"
    )
    target = PLACES[kind](tmp_path)
    finished(in_process(script, target))
    with closing(Ledger(target)) as ledger:
        expected = {f"{name}{number}" for name in "ab" for number in range(100)} | {f"child{n}" for n in range(10)}
        assert {record.id for record in ledger.records()} == expected


def test_a_ledger_travels_to_another_process(target: Any) -> None:
    if isinstance(target, sa.Engine):
        pytest.skip("an engine does not travel")
    with closing(Ledger(target)) as ledger, closing(pickle.loads(pickle.dumps(ledger))) as other:
        other.append(a_call())
        assert [*ledger.records()] == [a_call()]


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Ledger("costs.db")) as ledger:
        ledger.close()
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        ledger.append(a_call())
        assert [*ledger.records()] == [a_call()]
    assert not (tmp_path / "other" / "costs.db").exists()


def test_an_append_within_an_append(tmp_path: Path) -> None:
    """A stream that is collected as garbage is written down wherever that happens: in the midst of writing, too."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/costs.db", connect_args={"timeout": 1})
    inner = [a_call(1)]
    with closing(Ledger(engine)) as ledger:

        def nested(*_: Any) -> None:
            if inner:
                ledger.append(inner.pop())

        sa.event.listen(engine, "after_cursor_execute", nested)
        ledger.append(a_call(0))
        assert {record.id for record in ledger.records()} == {"gen-0", "gen-1"}
    engine.dispose()


def test_after_it_is_closed_it_opens_anew(ledger: Ledger) -> None:
    ledger.append(a_call(0))
    ledger.close()
    ledger.close()
    ledger.append(a_call(1))
    assert ledger.costs().calls == 2


def test_a_callers_engine_stays_open(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/costs.db")
    pool = engine.pool
    Ledger(engine).close()
    assert engine.pool is pool
    engine.dispose()


# ---- what cannot be


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but long enough to be read as the head of one " * 20)
    refused: list[tuple[Any, type[Exception], str]] = [
        (tmp_path / "text" / "costs.db", OSError, "its folder cannot be made: .* Give a path"),
        (tmp_path, OSError, "cannot be opened and written: .* Give a path"),
        (tmp_path / "text", ValueError, "is a file, and no SQLite database"),
        (f"sqlite:///{tmp_path}/text", ValueError, "is a file, and no SQLite database"),
        ("", ValueError, "target='' is no place that lasts: give a path"),
        (":memory:", ValueError, "target=':memory:' is no place that lasts"),
        ("sqlite://", ValueError, "'sqlite://' would be gone with the process"),
        ("nosuch://host/name", ValueError, "'nosuch://host/name': SQLAlchemy knows no database 'nosuch'"),
        ("://", ValueError, "target is no database URL: give one like"),
        ("sqlite+aiosqlite:///costs.db", ValueError, "names an asynchronous driver: give a synchronous one"),
        (7, TypeError, "target=7: give a path, a database URL, or an SQLAlchemy engine"),
        (sa.MetaData(), TypeError, r"target=MetaData\(\): give a path"),
    ]
    for given, kind, said in refused:
        with pytest.raises(kind, match=said) as caught:
            Ledger(given)
        assert not isinstance(given, Path) or str(given) in str(caught.value)


def test_a_file_that_may_only_be_read(file: Path) -> None:
    Ledger(file).close()
    file.chmod(0o400)
    if os.access(file, os.W_OK):
        pytest.skip("root may write everything")
    with pytest.raises(OSError, match=r"costs\.db'"):
        Ledger(file)


def test_a_password_is_not_shown() -> None:
    with pytest.raises((ImportError, OSError)) as caught:
        Ledger("postgresql+psycopg://me:very-secret@127.0.0.1:1/costs")
    assert "very-secret" not in f"{caught.value} {caught.value.__cause__}"
    assert "postgresql+psycopg://me:***@127.0.0.1:1/costs" in str(caught.value)


@pytest.mark.parametrize("kind", ["path", "url"])
def test_a_table_of_somebody_else(tmp_path: Path, kind: str) -> None:
    target = PLACES[kind](tmp_path)
    file = tmp_path / "new" / "costs.db"
    file.parent.mkdir()
    rows(file, "CREATE TABLE calls (id INTEGER PRIMARY KEY, phone TEXT)")
    with pytest.raises(
        ValueError, match=r"has a table calls that is no ledger's: .*cost.* missing\. Give another target"
    ):
        Ledger(target)


@pytest.mark.parametrize("kind", ["path", "url"])
def test_a_ledger_of_a_later_release(tmp_path: Path, kind: str) -> None:
    target, file = PLACES[kind](tmp_path), tmp_path / "new" / "costs.db"
    Ledger(target).close()
    rows(file, "ALTER TABLE calls ADD COLUMN mood TEXT")
    with closing(Ledger(target)) as ledger:  # which only has more in it
        ledger.append(a_call())
        assert [*ledger.records()] == [a_call()]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO ledger_version VALUES (2)")
    with pytest.raises(ValueError, match="is of version 2, and this release knows 1: upgrade"):
        Ledger(target)


@pytest.mark.parametrize("kind", ["path", "url"])
def test_what_cannot_be_written_is_said(tmp_path: Path, kind: str) -> None:
    with closing(Ledger(PLACES[kind](tmp_path))) as ledger:
        rows(tmp_path / "new" / "costs.db", "DROP TABLE calls")
        for use in (lambda: ledger.append(a_call()), ledger.records):
            with pytest.raises(OSError, match=r"the ledger '.*costs\.db' failed: no such table: .*calls$"):
                use()


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    script = (
        "import openrouter_adapters, openrouter_adapters.core, openrouter_adapters.core.costs\n"
        "import openrouter_adapters.core.telemetry\n"
        "heavy = {'sqlite3', 'sqlalchemy', 'opentelemetry', 'openai'}\n"
        "print(heavy & {*sys.modules})\n"
        "Ledger(sys.argv[1])\n"
        "print(heavy & {*sys.modules})\n"
    )
    assert finished(in_process(script, tmp_path / "costs.db")).splitlines() == ["set()", "{'sqlite3'}"]


def test_without_sqlalchemy_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "sys.modules['sqlalchemy'] = None\n"
        "Ledger(sys.argv[1] + '/costs.db')\n"
        "try: Ledger('sqlite:///' + sys.argv[1] + '/other.db')\n"
        "except ImportError as error: print(error)\n"
    )
    assert "pip install 'openrouter-adapters[ledger]'" in finished(in_process(script, tmp_path))


# ---- calls


@ways
def test_every_call_is_written_before_its_answer_is_returned(
    client: Client, openrouter_gateway: LocalGateway, ledger: Ledger, ask: Ask
) -> None:
    openrouter_gateway.reply("Something told", cost=0.25)
    with track_costs(tags="a") as costs, ledger:
        ask(client, request(openrouter_gateway))
        assert [*ledger.records()] == [*costs.records]
        openrouter_gateway.fault("error_200", code=503, message="down")
        with pytest.raises(OpenRouterError):
            ask(client, request(openrouter_gateway))
    ask(client, request(openrouter_gateway))
    written = [*ledger.records()]
    assert written == [*costs.records] and len(written) == 2
    assert (written[0].cost, written[0].tags, written[1].outcome) == (Decimal("0.25"), ("a",), "ProviderError")


def test_neither_content_nor_key_is_written(client: Client, openrouter_gateway: LocalGateway, file: Path) -> None:
    openrouter_gateway.reply("Words that were answered")
    ledger = Ledger(file)
    with ledger:
        complete(client, request(openrouter_gateway, user="somebody"))
    ledger.close()
    written = file.read_bytes()
    assert b"openai/gpt-4o-mini" in written
    assert not [word for word in (KEY, "Words", 'hi"', "somebody") if word.encode() in written]


def test_two_on_the_same_target_write_a_call_once(client: Client, openrouter_gateway: LocalGateway, file: Path) -> None:
    asked = request(openrouter_gateway)
    first, second = Ledger(file), Ledger(str(file))
    first.start()
    first.start()
    second.start()
    complete(client, asked)
    first.stop()
    first.stop()
    complete(client, asked)
    second.close()
    complete(client, asked)
    assert first.costs().calls == 2
    first.close()


def test_a_child_records_on(openrouter_gateway: LocalGateway, file: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    script = (
        "from openrouter_adapters.core.client import Client\n"
        "from openrouter_adapters.core.options import OpenRouterOptions\n"
        "from openrouter_adapters.core.request import build_request\n"
        "options = OpenRouterOptions(api_key='k', base_url=sys.argv[2], model='openai/gpt-4o-mini')\n"
        "def ask(): Client().complete(build_request(options, {}, [{'role': 'user', 'content': 'hi'}]))\n"
        "Ledger(sys.argv[1]).start()\n"
        "ask()\n"
        "if os.fork(): assert os.wait()[1] == 0\n"
        "else:\n"
        "    ask()\n"
        "    os._exit(0)\n"
    )
    finished(in_process(script, file, openrouter_gateway.base_url))
    with closing(Ledger(file)) as ledger:
        assert ledger.costs().calls == 2


def test_a_stream_that_a_child_leaves_is_told_by_its_parent(openrouter_gateway: LocalGateway, file: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    script = (
        "from openrouter_adapters.core.client import Client\n"
        "from openrouter_adapters.core.options import OpenRouterOptions\n"
        "from openrouter_adapters.core.request import build_request\n"
        "options = OpenRouterOptions(api_key='k', base_url=sys.argv[2], model='openai/gpt-4o-mini')\n"
        "Ledger(sys.argv[1]).start()\n"
        "with Client().stream(build_request(options, {}, [{'role': 'user', 'content': 'hi'}])) as arriving:\n"
        "    pieces = iter(arriving)\n"
        "    next(pieces)\n"
        "    if os.fork():\n"
        "        assert os.wait()[1] == 0\n"
        "        list(pieces)\n"
        "    else:\n"
        "        arriving.__exit__(None, None, None)\n"
        "        os._exit(0)\n"
    )
    finished(in_process(script, file, openrouter_gateway.base_url))
    with closing(Ledger(file)) as ledger:
        assert [record.outcome for record in ledger.records()] == ["answered"]


def test_a_call_that_is_settled_counts_once(client: Client, openrouter_gateway: LocalGateway, ledger: Ledger) -> None:
    openrouter_gateway.reply("Hello there, this is rather long", cost=0.5)
    with track_costs() as costs, ledger:
        with client.stream(request(openrouter_gateway)) as arriving:
            next(iter(arriving))
        assert (costs.unpriced_calls, ledger.costs().unpriced_calls) == (1, 1)
        assert costs.settle() == 0
    settled = ledger.costs()
    assert (settled.calls, settled.unpriced_calls, settled.total) == (1, 0, costs.total)
    assert settled.total > 0


async def test_tasks_and_threads_are_all_there(client: Client, openrouter_gateway: LocalGateway, file: Path) -> None:
    asked = request(openrouter_gateway)
    threads = [threading.Thread(target=complete, args=(client, asked)) for _ in range(10)]
    with closing(Ledger(file)) as ledger:
        with ledger:
            for thread in threads:
                thread.start()
            await asyncio.gather(*(client.acomplete(asked) for _ in range(10)))
            for thread in threads:
                await asyncio.to_thread(thread.join)
        assert ledger.costs().calls == 20
    await client.aclose()
