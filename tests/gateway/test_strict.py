"""A strict gateway answers only what is scripted, and the fixture fails the test that asked for more."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from openrouter_adapters.gateway import LocalGateway

from .conftest import Client

pytest_plugins = ["pytester"]

SWALLOWS = """
from contextlib import suppress
from urllib.request import Request, urlopen
import json

def ask(gateway, path="/chat/completions", **body):
    body = {"messages": [{"role": "user", "content": "And now?"}], "input": "x", "query": "x", "documents": [], **body}
    headers = {"authorization": "Bearer any"}
    with suppress(OSError):
        urlopen(Request(gateway.base_url + path, json.dumps(body).encode(), headers)).read()
"""


@pytest.fixture
def strict() -> LocalGateway:
    return LocalGateway(strict=True)


def test_what_is_not_scripted_is_refused_and_noted(strict: LocalGateway) -> None:
    with strict, Client(strict) as client:
        strict.reply("Paris", match="France")
        answer = client.chat("What is the capital of Spain?", stream=True)
        assert answer.status == 400
        assert answer.body["error"]["message"] == (
            "Strict local gateway: nothing is scripted for POST /api/v1/chat/completions: What is the capital of Spain?"
        )
        assert client.message("What is the capital of France?")["content"] == "Paris"
        assert strict.unscripted == [strict.requests[0]] and strict.unused == []


@pytest.mark.parametrize(
    ("path", "body"), [("/embeddings", {"input": "x"}), ("/rerank", {"query": "x", "documents": ["y"]})]
)
def test_vectors_and_ranks_have_to_be_scripted_too(strict: LocalGateway, path: str, body: dict[str, object]) -> None:
    model = {"/embeddings": "openai/text-embedding-3-small", "/rerank": "cohere/rerank-v3.5"}[path]
    with strict, Client(strict) as client:
        assert client.post(path, {"model": model, **body}).status == 400
        strict.reply(path=path)
        assert client.post(path, {"model": model, **body}).status == 200
        assert len(strict.unscripted) == 1


def test_a_fault_in_place_of_an_answer_is_script_enough(strict: LocalGateway) -> None:
    with strict, Client(strict) as client:
        strict.fault("upstream_502")
        assert client.chat().status == 502
        assert client.get("/models").status == 200
        assert strict.unscripted == []


def test_reset_brings_back_what_it_was_made_with(strict: LocalGateway) -> None:
    with strict, Client(strict) as client:
        client.chat()
        strict.strict = False
        assert client.chat().status == 200
        strict.reset()
        assert strict.strict and strict.unscripted == []


def outcomes(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    """What becomes of a user's test in a process of its own."""
    source = Path(__file__).resolve().parents[2] / "integrations"
    pytester.syspathinsert(source)
    pytester.makepyfile(SWALLOWS + test)
    plugin = "openrouter_adapters.gateway.pytest_plugin"
    own = () if any(one.value == plugin for one in entry_points(group="pytest11")) else ("-p", plugin)
    return pytester.runpytest_subprocess("-q", "-p", "no:randomly", *own)


def test_a_test_that_swallows_the_error_fails_all_the_same(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
def test_swallows(openrouter_gateway):
    openrouter_gateway.strict = True
    ask(openrouter_gateway)

def test_next(openrouter_gateway):
    assert not openrouter_gateway.strict
    ask(openrouter_gateway)
""",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*openrouter_gateway is strict: nothing was scripted for POST /api/v1/chat/completions: And now?"]
    )


def test_a_reply_that_nobody_asked_for_fails_the_test_too(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
def test_asks_once(openrouter_gateway):
    openrouter_gateway.strict = True
    openrouter_gateway.reply("For all.", match="never asked", times=None)
    openrouter_gateway.reply("One.")
    openrouter_gateway.reply("Two.")
    ask(openrouter_gateway)
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*is strict: nobody asked for Reply(text='Two.'*"])
    result.stdout.no_fnmatch_line("*For all.*is strict*")


def test_the_plugin_loads_no_server_and_no_model_at_collection(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
import sys
HEAVY = ("starlette", "uvicorn", "xllamacpp", "openai", "langchain_core", "llama_index")
LOADED = [name for name in HEAVY if name in sys.modules]

def test_loaded():
    assert LOADED == []
""",
    )
    result.assert_outcomes(passed=1)
