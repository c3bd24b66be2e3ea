"""`openrouter-adapters gateway`: the local OpenRouter, until Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .running import run

SOURCE = Path(__file__).resolve().parents[2] / "integrations"
COMMAND = [sys.executable, "-c", "from openrouter_adapters.cli import main; main()", "gateway"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_it_serves_other_commands_until_ctrl_c() -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, "--key", "sk-of-the-demo"], cwd=SOURCE, text=True, **pipes) as process:
        try:
            assert process.stdout is not None
            address = re.search(r"http://\S+", process.stdout.readline())
            assert address is not None
            assert "label" in run("key", "--base-url", address[0], "--api-key", "sk-of-the-demo").stdout
            assert "401" in run("key", "--base-url", address[0], "--api-key", "sk-another", code=1).stderr
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=30)
            assert (process.returncode, complaints) == (0, "")
        finally:
            process.kill()


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [*COMMAND, "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=SOURCE, text=True, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "cannot use port" in done.stderr


def test_a_port_that_cannot_be_is_refused() -> None:
    assert "65535" in run("gateway", "--port", "65536", code=2, columns=200).stderr


def test_what_it_is_told_is_passed_on() -> None:
    command = [*COMMAND, "--echo", "--down", "openai", "--fault", "upstream_502", "--fault", "nothing"]
    done = subprocess.run(command, cwd=SOURCE, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert "openrouter-adapters gateway: error: argument --fault: no fault is called 'nothing'" in done.stderr


def test_an_option_per_thing_to_break() -> None:
    told = run("gateway", "--help", columns=200).stdout
    assert [name for name in ("--model-path", "--echo", "--down", "--fault") if name not in told] == []
