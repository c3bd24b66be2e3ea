"""``python -m openrouter_adapters.gateway`` serves until it is told to stop, and says in a line why it cannot."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "integrations"
WINDOWS = sys.platform == "win32"


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, the base URL that it tells, and all that it tells."""
    command = [sys.executable, "-m", "openrouter_adapters.gateway", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=SOURCE, text=True, **pipes) as process:
        try:
            assert process.stdout is not None
            told = ""
            while "Ctrl-C" not in told and (line := process.stdout.readline()):
                told += line
            address = re.search(r"http://\S+", told)
            assert address is not None
            yield process, address[0], told
        finally:
            process.kill()


def listed(base_url: str) -> list[str]:
    with urllib.request.urlopen(f"{base_url}/models", timeout=30) as answer:
        return [item["id"] for item in json.load(answer)["data"]]


@pytest.mark.skipif(WINDOWS, reason="signals are sent in another way there")
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_leaves_in_peace(signal_: signal.Signals) -> None:
    with serving() as (process, base_url, said):
        assert "openai/gpt-4o-mini" in listed(base_url)
        process.send_signal(signal_)
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0 and complaints == ""
    assert f"export OPENROUTER_BASE_URL={base_url}" in said and "export OPENROUTER_API_KEY=any" in said


def test_the_port_and_the_key_can_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving("--port", str(port), "--key", "sk-mine") as (_, base_url, said):
        assert base_url == f"http://127.0.0.1:{port}/api/v1"
    assert "export OPENROUTER_API_KEY=sk-mine" in said


def refused(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "openrouter_adapters.gateway", *arguments]
    done = subprocess.run(command, cwd=SOURCE, text=True, capture_output=True, timeout=60)
    assert done.stdout == "" and "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused("--port", str(port))
    assert code == 1 and said.count("\n") == 1
    assert f"cannot use port {port}" in said and "--port" in said


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_cannot_be_is_refused(port: str) -> None:
    code, said = refused(f"--port={port}")
    assert code == 2 and repr(port) in said and "65535" in said
