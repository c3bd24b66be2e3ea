"""`compare_models`: what it tells is what the gateway did, through either framework, whatever fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openrouter_adapters.cli import Comparison, acompare_models
from openrouter_adapters.core.errors import InvalidRequestError, RateLimitError, StreamInterruptedError
from openrouter_adapters.core.records import Tokens
from openrouter_adapters.gateway import LocalGateway

from ..leaving import endless
from .conftest import KEY

GPT, CLAUDE, NOBODY = "openai/gpt-4o-mini", "anthropic/claude-haiku-4.5", "no/such"
SOURCE = Path(__file__).resolve().parents[2] / "integrations"
Compare = Callable[..., list[Comparison]]


def of(model: str) -> Callable[[dict[str, Any]], bool]:
    return lambda body: body["model"] == model


@pytest.fixture(params=["langchain", "llamaindex"])
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


def test_each_says_what_the_gateway_gave(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    usage = {
        "prompt_tokens": 1200,
        "completion_tokens": 34,
        "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 21},
    }
    openrouter_gateway.reply("Hello from Anthropic.", match=of(CLAUDE), usage=usage, cost=0.0000123456789)
    openrouter_gateway.reply("Hello from OpenAI.", match=of(GPT), cost=0.1)
    claude, gpt = compare("Hello", [CLAUDE, GPT], framework=framework)
    assert (claude.model, claude.served_model) == (CLAUDE, "anthropic/claude-4.5-haiku-20251001")
    assert (claude.text, claude.provider, claude.finish_reason) == ("Hello from Anthropic.", "Anthropic", "stop")
    assert claude.tokens == Tokens(input=1200, output=34, cached=1000, cache_write=60, reasoning=21)
    assert (claude.cost, gpt.cost) == (Decimal("0.0000123456789"), Decimal("0.1"))
    assert (claude.fallback_used, claude.error, claude.done) == (False, None, True)
    assert (gpt.text, gpt.model, gpt.id is not None) == ("Hello from OpenAI.", GPT, True)
    assert 0 < (claude.first_token or 0) <= claude.seconds
    assert claude.tokens_per_second == 34 / claude.seconds


def test_the_providers_bill_is_in_the_cost_of_an_own_key(
    compare: Compare, openrouter_gateway: LocalGateway, framework: str
) -> None:
    usage = {"is_byok": True, "cost_details": {"upstream_inference_cost": 0.0031}}
    openrouter_gateway.reply("Hello", usage=usage, cost=0.0002)
    assert compare("Hello", [GPT], framework=framework)[0].cost == Decimal("0.0033")


def test_what_is_not_told_is_unknown(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.reply("Hello", omit=["usage"])
    (found,) = compare("Hello", [GPT], framework=framework)
    assert (found.text, found.tokens, found.cost, found.tokens_per_second) == ("Hello", None, None, None)


def test_a_free_answer_costs_nothing(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.reply("Hello", cost=0)
    assert compare("Hello", [GPT], framework=framework)[0].cost == 0


def test_reasoning_is_a_first_token_too(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.reply(reasoning="Hm, let me think.", tool_calls=())
    (found,) = compare("Hello", [GPT], framework=framework)
    assert (found.text, found.first_token is not None) == ("", True)


def test_a_refusal_is_what_the_model_said(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.reply(refusal="I will not.")
    assert compare("Hello", [GPT], framework=framework)[0].text == "I will not."


def test_the_request_holds_what_was_asked_and_nothing_more(
    compare: Compare, openrouter_gateway: LocalGateway, framework: str
) -> None:
    compare("Hello", [GPT], framework=framework, system="Be brief.", max_tokens=7, provider={"order": ["azure"]})
    body = openrouter_gateway.requests[0].body
    assert body == {
        "model": GPT,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 7,
        "provider": {"order": ["azure"]},
        "stream": True,
    }


def test_a_fallback_is_told(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.down("openai")
    openrouter_gateway.down("azure")
    (found,) = compare("Hello", [GPT], framework=framework, extra_body={"models": [CLAUDE]})
    assert (found.fallback_used, found.provider) == (True, "Anthropic")


def test_one_that_fails_does_not_stop_the_others(
    compare: Compare, openrouter_gateway: LocalGateway, framework: str
) -> None:
    openrouter_gateway.fault("rate_limit", match=of(CLAUDE), message="Slow down")
    nobody, claude, gpt = compare("Hello", [NOBODY, CLAUDE, GPT], framework=framework)
    assert isinstance(nobody.error, InvalidRequestError)
    assert isinstance(claude.error, RateLimitError)
    assert "Slow down" in str(claude.error)
    assert (nobody.text, nobody.first_token, nobody.cost) == ("", None, None)
    assert (gpt.error, bool(gpt.text)) == (None, True)


def test_what_had_come_before_a_failure_is_kept(
    compare: Compare, openrouter_gateway: LocalGateway, framework: str
) -> None:
    openrouter_gateway.reply(chunks=["One ", "two ", "three"], cost=0.02)
    openrouter_gateway.fault("error_chunk_with_usage", after=2)
    (found,) = compare("Hello", [GPT], framework=framework)
    assert isinstance(found.error, StreamInterruptedError)
    assert (found.text, found.cost) == ("One two ", Decimal("0.02"))
    assert found.tokens is not None
    assert found.served_model == GPT


def test_a_model_named_twice_is_asked_twice(compare: Compare, openrouter_gateway: LocalGateway) -> None:
    found = compare("Hello", [GPT, CLAUDE, GPT])
    assert [(one.model, one.run, one.name) for one in found] == [
        (GPT, 1, GPT),
        (CLAUDE, 1, CLAUDE),
        (GPT, 2, f"{GPT} #2"),
    ]
    assert len(openrouter_gateway.requests) == 3


def test_progress_tells_each_piece(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    openrouter_gateway.reply(chunks=["One ", "two"])
    states: list[Comparison] = []
    found = compare("Hello", [GPT], framework=framework, on_progress=states.append)
    assert states[0] == Comparison(model=GPT, done=False)
    assert [text for text in dict.fromkeys(state.text for state in states)] == ["", "One ", "One two"]
    assert [state.done for state in states] == [False] * (len(states) - 1) + [True]
    assert states[-1] == found[0]


def test_all_are_asked_at_once(compare: Compare, openrouter_gateway: LocalGateway, framework: str) -> None:
    """Each has begun before any is done."""
    openrouter_gateway.reply("One two three four five six", times=None, delay=0.05)
    states: list[Comparison] = []
    compare("Hello", [GPT, CLAUDE, GPT], framework=framework, on_progress=states.append)
    first_end = next(place for place, state in enumerate(states) if state.done)
    assert {(state.model, state.run) for state in states[:first_end] if state.text} == {(GPT, 1), (CLAUDE, 1), (GPT, 2)}


def test_what_on_progress_raises_is_raised_as_it_is(
    compare: Compare, openrouter_gateway: LocalGateway, framework: str
) -> None:
    endless(openrouter_gateway, times=None)

    def fail(state: Comparison) -> None:
        if state.text:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compare("Hello", [GPT, CLAUDE], framework=framework, on_progress=fail)
    assert all(exchange.wait(1) and exchange.client_left for exchange in openrouter_gateway.requests)


async def test_cancelled_it_leaves_every_stream(openrouter_gateway: LocalGateway, framework: str) -> None:
    endless(openrouter_gateway, times=None)
    begun: set[str] = set()
    all_begun = asyncio.Event()

    def note(state: Comparison) -> None:
        if state.text:
            begun.add(state.model)
        if begun == {GPT, CLAUDE}:
            all_begun.set()

    connection = {"base_url": openrouter_gateway.base_url, "api_key": KEY}
    comparing = asyncio.create_task(
        acompare_models("Hello", [GPT, CLAUDE], framework=framework, on_progress=note, **connection)
    )
    await all_begun.wait()
    comparing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await comparing
    assert all(exchange.wait(1) and exchange.client_left for exchange in openrouter_gateway.requests)


async def test_it_works_inside_a_running_loop(compare: Compare) -> None:
    """As in a notebook."""
    assert compare("Hello", [GPT])[0].error is None


@pytest.mark.parametrize(
    ("prompt", "models", "given", "error", "said"),
    [
        (" ", [GPT], {}, ValueError, "prompt is empty"),
        ("Hello", [], {}, ValueError, "models is empty"),
        ("Hello", [GPT], {"framework": "haystack"}, ValueError, "framework='haystack': choose one of langchain"),
        ("Hello", [GPT], {"max_tokns": 7}, TypeError, "max_tokens"),
        ("Hello", [GPT], {"max_tokens": "7"}, ValueError, "max_tokens"),
        ("Hello", [GPT], {"api_key": None}, ValueError, "OPENROUTER_API_KEY"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_sent(
    compare: Compare,
    openrouter_gateway: LocalGateway,
    prompt: str,
    models: list[str],
    given: dict[str, Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        compare(prompt, models, **given)
    assert openrouter_gateway.requests == []


def test_one_model_may_be_a_text(compare: Compare) -> None:
    assert [one.model for one in compare("Hello", GPT)] == [GPT]


def test_plain_values(compare: Compare) -> None:
    gpt, nobody = (one.as_dict() for one in compare("Hello", [GPT, NOBODY]))
    assert list(gpt) == list(nobody)
    assert (gpt["model"], gpt["error"], gpt["error_message"]) == (GPT, None, None)
    assert (nobody["error"], nobody["input_tokens"], nobody["cost"]) == ("InvalidRequestError", None, None)
    assert "not a valid model" in nobody["error_message"]
    assert gpt["seconds"] == round(gpt["seconds"], 4)


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=SOURCE, timeout=120
    )


def test_comparing_needs_no_package_of_the_command() -> None:
    unloaded = "typer, rich, jinja2, pygal, langchain_core, llama_index, openai"
    script = f"import sys, openrouter_adapters.cli\nprint(*set('{unloaded}'.split(', ')) & set(sys.modules))"
    assert python(script).stdout.split() == []


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_package_is_named_with_its_remedy(missing: str) -> None:
    done = python(f"import sys\nsys.modules['{missing}'] = None\nfrom openrouter_adapters.cli import main\nmain()")
    assert done.stderr == f"openrouter-adapters needs {missing}: pip install 'openrouter-adapters[cli]'\n"
    assert (done.stdout, done.returncode) == ("", 1)


@pytest.mark.parametrize("missing", ["jinja2", "pygal"])
def test_a_page_without_its_packages_names_the_remedy(missing: str) -> None:
    done = python(f"import sys\nsys.modules['{missing}'] = None\nfrom openrouter_adapters.cli import comparison_page")
    assert f"ImportError: openrouter-adapters needs {missing}: pip install 'openrouter-adapters[cli]'" in done.stderr


def test_without_a_framework_the_remedy_is_named() -> None:
    script = (
        "import sys\nsys.modules['langchain_core'] = sys.modules['llama_index'] = None\n"
        "from openrouter_adapters.cli import compare_models\ncompare_models('Hello', ['a/b'], api_key='k')"
    )
    assert "ImportError: comparing needs LangChain or LlamaIndex: pip install" in python(script).stderr


def test_the_framework_that_is_installed_is_taken() -> None:
    script = (
        "import sys\nsys.modules['langchain_core'] = None\n"
        "from openrouter_adapters.cli.frameworks import chosen\nprint(chosen(None))"
    )
    assert python(script).stdout == "llamaindex\n"
