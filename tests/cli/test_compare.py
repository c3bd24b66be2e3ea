"""``openrouter-adapters compare``: what it shows, what it writes, how it fails, what happens in a terminal."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openrouter_adapters.cli.files import as_csv, as_json
from openrouter_adapters.cli.words import money, one_line, printable
from openrouter_adapters.gateway import LocalGateway

from ..leaving import endless
from .conftest import KEY

GPT, CLAUDE, NOBODY = "openai/gpt-4o-mini", "anthropic/claude-haiku-4.5", "no/such"
SOURCE = Path(__file__).resolve().parents[2] / "integrations"
PROGRAM = [sys.executable, "-W", "error", "-c", "from openrouter_adapters.cli import main; main()"]
Run = Callable[..., Any]


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_a_plain_table_where_there_is_no_terminal(run: Run, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.reply("Hello", match=lambda body: body["model"] == GPT, cost=0.0000471)
    done = run("compare", "Hello", "-m", GPT, "-m", NOBODY, "--framework", framework)
    header, gpt, nobody, error = done.stdout.splitlines()
    assert re.split(r"\s{2,}", header.strip())[:4] == ["Model", "Provider", "First", "Total"]
    assert gpt.split()[:2] == [GPT, "OpenAI"]
    assert gpt.split()[-2:] == ["$0.0000471", "stop"]
    assert nobody.split()[0] == NOBODY
    assert nobody.split()[-1] == "failed"
    assert error.startswith(f"{NOBODY}: InvalidRequestError: 400")
    assert (done.exit_code, done.stderr, "\x1b" in done.stdout) == (0, "", False)


def test_options_go_out_as_they_are_and_nothing_else_does(run: Run, openrouter_gateway: LocalGateway) -> None:
    words = ["--system", "Be brief.", "--max-tokens", 7, "--temperature", 0, "--provider-order", "azure, openai"]
    run("compare", "Hello", "-m", GPT, *words, "--reasoning-effort", "low")
    assert openrouter_gateway.requests[0].body == {
        "model": GPT,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 7,
        "temperature": 0,
        "provider": {"order": ["azure", "openai"]},
        "reasoning": {"effort": "low"},
        "stream": True,
    }


def test_the_prompt_may_come_from_stdin(run: Run, openrouter_gateway: LocalGateway) -> None:
    run("compare", "-", "-m", GPT, input="Hello\nthere")
    assert openrouter_gateway.requests[0].body["messages"] == [{"role": "user", "content": "Hello\nthere"}]


def test_each_model_several_times(run: Run, openrouter_gateway: LocalGateway) -> None:
    done = run("compare", "Hello", "-m", GPT, "-m", CLAUDE, "--repeat", 2)
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:]] == [GPT, f"{GPT} #2", CLAUDE, f"{CLAUDE} #2"]
    assert len(openrouter_gateway.requests) == 4


def test_files(run: Run, openrouter_gateway: LocalGateway, tmp_path: Path) -> None:
    openrouter_gateway.reply('=HYPERLINK("http://evil")\nüber', cost=0.0000471, match=lambda body: body["model"] == GPT)
    paths = [tmp_path / f"found.{kind}" for kind in ("json", "csv", "html")]
    done = run("compare", "<b>Hello</b>", "-m", GPT, "-m", NOBODY, *(f"--{path.suffix[1:]}={path}" for path in paths))
    assert done.exit_code == 0, done.output
    gpt, nobody = json.loads(paths[0].read_text(encoding="ascii"))
    assert gpt["text"] == '=HYPERLINK("http://evil")\nüber'
    assert (gpt["cost"], nobody["cost"], nobody["error"]) == ("0.0000471", None, "InvalidRequestError")
    with paths[1].open(encoding="utf-8", newline="") as file:
        line, other = csv.DictReader(file)
    assert line["text"] == '\'=HYPERLINK("http://evil")\nüber'
    assert (line["cost"], other["cost"], other["error"]) == ("0.0000471", "", "InvalidRequestError")
    page = paths[2].read_text(encoding="utf-8")
    assert "<h1>&lt;b&gt;Hello&lt;/b&gt;</h1>" in page
    assert "$0.0000471" in page
    assert KEY not in "".join(path.read_text(encoding="utf-8") for path in paths)


def test_json_on_stdout_is_nothing_but_json(run: Run) -> None:
    done = run("compare", "Hello", "-m", GPT, "--json", "-")
    assert [one["model"] for one in json.loads(done.stdout)] == [GPT]
    assert done.stderr.startswith("Model ")


def test_csv_on_stdout_is_nothing_but_csv(run: Run) -> None:
    done = run("compare", "Hello", "-m", GPT, "--csv", "-")
    assert [one["model"] for one in csv.DictReader(io.StringIO(done.stdout))] == [GPT]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_answers_come_through_whatever_the_encoding_of_a_pipe(openrouter_gateway: LocalGateway, encoding: str) -> None:
    openrouter_gateway.reply("\u4f60 \N{PARTY POPPER}", provider="\u4f60", times=None)
    connection = {"OPENROUTER_BASE_URL": openrouter_gateway.base_url, "OPENROUTER_API_KEY": KEY}
    environment = {**os.environ, **connection, "PYTHONIOENCODING": encoding}

    def told(*words: str) -> bytes:
        words = (*PROGRAM, "compare", "Hello", "-m", GPT, *words)
        done = subprocess.run(words, capture_output=True, env=environment, cwd=SOURCE, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert GPT.encode() in told()
    assert json.loads(told("--json", "-"))[0]["text"] == "\u4f60 \N{PARTY POPPER}"
    (line,) = csv.DictReader(io.StringIO(told("--csv", "-").decode(), newline=""))
    assert line["text"] == "\u4f60 \N{PARTY POPPER}"
    assert "\u4f60 \N{PARTY POPPER}" in told("--html", "-").decode()


def test_a_closed_stdout_stops_nothing(openrouter_gateway: LocalGateway, tmp_path: Path) -> None:
    words = [
        "compare",
        "Hello",
        "-m",
        GPT,
        "--json",
        f"{tmp_path}/found.json",
        "--base-url",
        openrouter_gateway.base_url,
    ]
    shell = ["sh", "-c", '"$@" >&-', "sh"]
    done = subprocess.run([*shell, *PROGRAM, *words, "--api-key", KEY], stderr=-1, text=True, cwd=SOURCE, timeout=120)
    assert (done.stderr, done.returncode) == ("", 0)
    assert json.loads((tmp_path / "found.json").read_text())[0]["model"] == GPT


def test_a_reader_who_leaves_takes_no_file_along(openrouter_gateway: LocalGateway, tmp_path: Path) -> None:
    words = [
        "compare",
        "Hello",
        "-m",
        GPT,
        "--json",
        f"{tmp_path}/found.json",
        "--base-url",
        openrouter_gateway.base_url,
    ]
    process = subprocess.Popen([*PROGRAM, *words, "--api-key", KEY], stdout=-1, stderr=subprocess.DEVNULL, cwd=SOURCE)
    assert process.stdout
    process.stdout.close()
    assert process.wait(60) == 1
    assert json.loads((tmp_path / "found.json").read_text())[0]["model"] == GPT


def test_colours_forced_upon_a_pipe_draw_nothing_live(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert len(run("compare", "Hello", "-m", GPT).stdout.splitlines()) == 2


def test_the_exit_code_is_1_only_when_all_failed(run: Run) -> None:
    assert run("compare", "Hello", "-m", NOBODY, "-m", GPT).exit_code == 0
    assert run("compare", "Hello", "-m", NOBODY, "-m", "nor/this").exit_code == 1


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["compare", " ", "-m", GPT], "Error: prompt is empty: say what the models are to be asked\n", 2),
        (["compare", "Hello", "-m", GPT, "--json", "-", "--csv", "-"], "Error: two kinds of output cannot", 2),
        (["compare", "Hello", "-m", GPT, "--html", "/no/such/folder/page.html"], "Error: /no/such/folder/page.html", 1),
        (["compare", "Hello", "-m", GPT, "--timeout", "-1"], "Error: ", 2),
        (["compare", "Hello", "-m", GPT, "-m", " "], "Error: models has an empty slug", 2),
        (
            ["compare", "Hello", "-m", GPT, "--provider-order", " ,"],
            "Error: --provider-order ' ,' names no provider",
            2,
        ),
    ],
)
def test_an_error_is_one_line_and_nothing_is_sent(
    run: Run, openrouter_gateway: LocalGateway, words: list[str], said: str, code: int
) -> None:
    done = run(*words)
    assert done.stderr.startswith(said)
    assert (done.stderr.count("\n"), done.stdout, done.exit_code) == (1, "", code)
    assert openrouter_gateway.requests == []


def test_without_a_key_the_remedy_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    done = run("compare", "Hello", "-m", GPT)
    assert "OPENROUTER_API_KEY" in done.stderr
    assert (done.stderr.count("\n"), done.exit_code) == (1, 2)


@pytest.mark.parametrize("missing", ["jinja2", "pygal"])
def test_a_page_that_cannot_be_made_is_told_before_anything_is_sent(
    openrouter_gateway: LocalGateway, missing: str
) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; {PROGRAM[-1]}"
    words = ["compare", "Hello", "-m", GPT, "--html", "page.html", "--base-url", openrouter_gateway.base_url]
    done = subprocess.run(
        [*PROGRAM[:-1], program, *words, "--api-key", KEY], capture_output=True, text=True, cwd=SOURCE, timeout=120
    )
    assert done.stderr == f"openrouter-adapters needs {missing}: pip install 'openrouter-adapters[cli]'\n"
    assert (done.stdout, done.returncode, openrouter_gateway.requests) == ("", 1, [])


def test_a_bug_keeps_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openrouter_adapters.cli.compare.compare_models", lambda *_, **__: 1 / 0)
    assert isinstance(run("compare", "Hello", "-m", GPT).exception, ZeroDivisionError)


def test_the_key_is_not_in_the_help(run: Run) -> None:
    told = run("compare", "--help").output
    assert "OPENROUTER_API_KEY" in told
    assert KEY not in told


def test_the_version(run: Run) -> None:
    from openrouter_adapters import __version__

    assert run("--version").stdout == f"openrouter-adapters {__version__}\n"


# ------------------------------------------------------------------------------------------------- in a terminal


class Terminal:
    """The command in a terminal of its own."""

    def __init__(self, gateway: LocalGateway, *words: str) -> None:
        connection = {"OPENROUTER_BASE_URL": gateway.base_url, "OPENROUTER_API_KEY": KEY}
        self.output, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            [*PROGRAM, *words],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, **connection, "TERM": "xterm"},
            cwd=SOURCE,
        )
        os.close(inside)
        self.shown = ""

    def read_until(self, said: str) -> None:
        """Read on; fails when it ends before."""
        while said not in self.shown:
            self.shown += self._piece() or pytest.fail(f"no {said!r} in {self.shown!r}")

    def read(self) -> int:
        """Read to the end; the exit code."""
        while piece := self._piece():
            self.shown += piece
        os.close(self.output)
        return self.process.wait(10)

    def _piece(self) -> str:
        try:
            return os.read(self.output, 65536).decode(errors="replace")
        except OSError:  # how Linux tells that nobody writes any more
            return ""


def test_in_a_terminal_the_text_is_shown_as_it_streams(openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("[red]One[/red] two three four \x1b]0;owned\x07 five.", delay=0.1)
    terminal = Terminal(openrouter_gateway, "compare", "Hello", "-m", GPT, "-m", NOBODY)
    terminal.read_until("[red]One[/red]")
    assert not openrouter_gateway.requests[0].done or not openrouter_gateway.requests[1].done
    assert terminal.read() == 0
    assert "five." in terminal.shown
    assert "InvalidRequestError" in terminal.shown
    assert "\x1b]0;owned" not in terminal.shown, "an answer steers the terminal"


def test_ctrl_c_leaves_cleanly_and_shows_what_had_come(openrouter_gateway: LocalGateway) -> None:
    endless(openrouter_gateway, times=None)
    terminal = Terminal(openrouter_gateway, "compare", "Hello", "-m", GPT, "-m", CLAUDE)
    terminal.read_until("one ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.read() == 130
    assert "Traceback" not in terminal.shown
    assert "one two" in terminal.shown.rpartition("\x1b[2K")[2], "what had come is gone"
    assert all(exchange.wait(1) and exchange.client_left for exchange in openrouter_gateway.requests)


def test_ctrl_c_in_a_pipe_shows_and_writes_what_had_come(openrouter_gateway: LocalGateway, tmp_path: Path) -> None:
    openrouter_gateway.reply(chunks=["one "] * 2000, delay=0.02)
    words = ["compare", "Hello", "-m", GPT, "--json", f"{tmp_path}/found.json", "--html", f"{tmp_path}/found.html"]
    connection = ["--base-url", openrouter_gateway.base_url, "--api-key", KEY]
    process = subprocess.Popen([*PROGRAM, *words, *connection], stdout=-1, stderr=-1, text=True, cwd=SOURCE)
    while not any(exchange.chunks_sent > 20 for exchange in openrouter_gateway.requests):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert (process.returncode, told.count(GPT)) == (130, 1)
    (one,) = json.loads((tmp_path / "found.json").read_text())
    assert (
        one["text"].startswith("one one") and one["cost"] is None and "one one" in (tmp_path / "found.html").read_text()
    )


# ----------------------------------------------------------------------------------------------- words and files


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "  =1+1", "\uff1d1"])
def test_a_text_is_no_formula_in_a_spreadsheet(text: str) -> None:
    ((cell,),) = list(csv.reader(io.StringIO(as_csv([{"text": text}]), newline="")))[1:]
    assert cell == f"'{text}"


def test_numbers_stay_numbers_in_csv() -> None:
    text = as_csv([{"a": Decimal("0.0000001"), "b": -1, "c": None, "d": 0.5, "e": "a=b"}])
    assert text == "a,b,c,d,e\r\n0.0000001,-1,,0.5,a=b\r\n"


@pytest.mark.parametrize(
    ("cost", "text"), [("1E-7", "0.0000001"), ("0.10", "0.1"), ("1234567890123.000000000001",) * 2, ("3E+2", "300")]
)
def test_money_is_text_with_every_digit_in_json_and_csv(cost: str, text: str) -> None:
    rows = [{"cost": Decimal(cost)}]
    assert json.loads(as_json(rows)) == list(csv.DictReader(io.StringIO(as_csv(rows)))) == [{"cost": text}]


def test_json_knows_no_other_objects() -> None:
    with pytest.raises(TypeError, match="object is nothing that JSON knows"):
        as_json([{"x": object()}])


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "-"),
        ("0", "$0.00"),
        ("1E-7", "$0.0000001"),
        ("1.5", "$1.50"),
        ("0.00125000", "$0.00125"),
        ("3E+2", "$300.00"),
    ],
)
def test_money_has_every_digit(amount: str | None, text: str) -> None:
    assert money(None if amount is None else Decimal(amount)) == text


def test_no_text_steers_the_terminal() -> None:
    assert printable("a\x1b[31mb\x9b1m\u202ec\r\nd\te\ud800") == "a\ufffd[31mb\ufffd1m\ufffdc\nd\te\ufffd"
    assert one_line("a\n  b\x07") == "a b\ufffd"
