"""`openrouter-adapters models`: searches what is for sale, else what came with the package, and says which."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openrouter_adapters.cli.models import size, tokens, usd
from openrouter_adapters.gateway import LocalGateway

from .running import run

LONG = "meta-llama/llama-3.3-70b-instruct:free"


def item(id: str, prompt: str = "0.000001", completion: str = "0.000002", **more: Any) -> dict[str, Any]:
    return {"id": id, "name": id.title(), "pricing": {"prompt": prompt, "completion": completion}, **more}


def ids(output: str) -> list[str]:
    return [model["id"] for model in json.loads(output)]


def test_what_is_for_sale_is_searched_without_a_key(openrouter_gateway: LocalGateway) -> None:
    result = run("models", "GEMINI", "lite", "--base-url", openrouter_gateway.base_url, columns=150)
    [line] = [line for line in result.stdout.splitlines() if "gemini" in line]
    cells = ["google/gemini-2.5-flash-lite", "1.049m", "$0.10", "$0.40", "66k"]
    kinds = ["text", "image", "file", "audio", "video", "text"]
    assert line.split() == [*cells, *kinds, "tools", "reasoning", "structured"]
    assert result.stderr == "1 model. Prices: USD per million tokens; -: unknown.\n"
    [asked] = openrouter_gateway.requests
    assert (asked.path, asked.key, asked.query) == ("/api/v1/models", "", {"output_modalities": "all"})


def test_every_condition_narrows_the_search(openrouter_gateway: LocalGateway) -> None:
    def found(*options: str) -> list[str]:
        return ids(run("models", *options, "--json", OPENROUTER_BASE_URL=openrouter_gateway.base_url).stdout)

    everything = found()
    assert len(everything) == 27 and "openai/text-embedding-3-small" in everything
    assert found("--makes", "embeddings") == ["openai/text-embedding-3-small", "openai/text-embedding-3-large"]
    assert found("--free", "--makes", "text") == [LONG, "minimax/minimax-m2:free"]
    assert found("claude", "--max-price", "5") == ["anthropic/claude-haiku-4.5"]
    assert found("claude", "--max-price", "4.99") == []
    assert found("claude", "--max-prompt-price", "$1", "--max-completion-price", "5") == ["anthropic/claude-haiku-4.5"]
    assert found("gpt", "--min-context", "400k") == ["openai/gpt-5-mini", "openai/gpt-5.2"]
    assert found("mini", "--reasoning", "--tools", "--structured", "--reads", "audio", "--makes", "image") == [
        "google/gemini-2.5-flash-image"
    ]
    assert found("--supports", "no_such_option") == []
    assert found("gpt-4", "--sort", "price", "--limit", "1") == ["openai/gpt-4o-mini"]
    assert found("gpt-4", "--sort", "name")[0] == "openai/gpt-4.1"
    assert found("--sort", "context", "--limit", "1") == ["google/gemini-2.5-flash"]


def test_prices_are_exact_and_unknown_ones_are_not_zero(openrouter_gateway: LocalGateway) -> None:
    listed = [item("a/exact", "0.0000001234567"), item("a/varies", "-1", "-1"), {"id": "a/bare"}]
    openrouter_gateway.reply(path="/models", body={"data": listed}, times=None)
    where = ("--base-url", openrouter_gateway.base_url)
    shown = run("models", *where).stdout
    assert [line.split()[2:4] for line in shown.splitlines()[2:]] == [["$0.1234567", "$2.00"], ["-", "-"], ["-", "-"]]
    as_json = json.loads(run("models", *where, "--json").stdout)
    assert [model["prices_per_million"]["prompt"] for model in as_json] == ["0.1234567", None, None]
    cheap = run("models", *where, "--max-price", "2", "--json")
    assert ids(cheap.stdout) == ["a/exact"]
    assert cheap.stderr == "2 more models may do: not all that was asked for is known of them.\n"


def test_a_narrow_terminal_shows_whole_names(openrouter_gateway: LocalGateway) -> None:
    result = run("models", "--base-url", openrouter_gateway.base_url, columns=80)
    assert LONG in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "(t)ools, (r)easoning, (s)tructured output" in result.stderr


def test_long_lists_are_cut_unless_all_is_wanted(openrouter_gateway: LocalGateway) -> None:
    listed = [item(f"a/{number}") for number in range(40)]
    openrouter_gateway.reply(path="/models", body={"data": listed}, times=None)
    where = ("--base-url", openrouter_gateway.base_url)
    assert "40 models (30 shown; --limit 0 for all)" in (shown := run("models", *where)).stderr
    assert shown.stdout.count("a/") == 30
    assert run("models", *where, "--limit", 0).stdout.count("a/") == 40
    assert len(ids(run("models", *where, "--json").stdout)) == 40
    assert len(ids(run("models", *where, "--json", "--limit", 3).stdout)) == 3


def test_offline_nobody_is_asked(openrouter_gateway: LocalGateway) -> None:
    result = run("models", "claude-haiku-4.5", "--offline", "--json", "--base-url", openrouter_gateway.base_url)
    assert ids(result.stdout) == ["anthropic/claude-haiku-4.5"] and openrouter_gateway.requests == []
    assert "came with this package" in result.stderr


@pytest.mark.parametrize("fault", ["upstream_502", "html"])
def test_when_nobody_answers_the_bundled_models_are_searched(
    fault: str, openrouter_gateway: LocalGateway, at_once: list[float]
) -> None:
    openrouter_gateway.fault(fault, times=None)
    result = run("models", "claude-haiku-4.5", "--json", "--base-url", openrouter_gateway.base_url)
    assert ids(result.stdout) == ["anthropic/claude-haiku-4.5"]
    assert "could not be asked for: " in result.stderr and "came with this package" in result.stderr


def test_an_empty_list_is_no_catalogue(openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(path="/models", body={"data": []})
    result = run("models", "claude-haiku-4.5", "--json", "--base-url", openrouter_gateway.base_url)
    assert ids(result.stdout) == ["anthropic/claude-haiku-4.5"] and "lists no models" in result.stderr


def test_nothing_found_is_said(openrouter_gateway: LocalGateway) -> None:
    result = run("models", "no-such-model", "--base-url", openrouter_gateway.base_url)
    assert (result.stdout, result.stderr) == ("", "No model is known to be all that.\n")


def test_a_name_cannot_steer_the_terminal(openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(path="/models", body={"data": [item("a/\x1b[31mred\n[bold]b[/bold]")]})
    result = run("models", "--base-url", openrouter_gateway.base_url)
    assert "\x1b" not in result.stdout and "[bold]b[/bold]" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-price", "cheap"), "'cheap' is no price"),
        (("--max-price", "-1"), "'-1' is no price"),
        (("--max-price", "NaN"), "'NaN' is no price"),
        (("--min-context", "huge"), "'huge' is no count of tokens"),
        (("--sort", "size"), "'size'"),
        (("--base-url", "ftp://x"), "base_url='ftp://x'"),
    ],
)
def test_what_cannot_be_is_refused(options: tuple[str, str], said: str) -> None:
    assert said in run("models", *options, code=2, columns=200).stderr


def test_what_people_type_and_read() -> None:
    assert [str(usd(text)) for text in ("$0.50", "1", ".5", " 2. ")] == ["0.50", "1", "0.5", "2"]
    assert [tokens(text) for text in ("128000", "128k", "1M", "128_000", "1,000")] == [
        *(128_000, 128_000, 1_000_000, 128_000, 1_000)
    ]
    sizes = [size(count) for count in (None, 512, 8_192, 131_072, 999_999, 1_048_576, 2_000_000)]
    assert sizes == ["-", "512", "8k", "131k", "1m", "1.049m", "2m"]
