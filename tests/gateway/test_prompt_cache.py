"""Cache breakpoints: the first request writes the beginning of its prompt, later ones read it; and sound is counted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.gateway import LocalGateway, tokens
from openrouter_adapters.gateway.prompt_cache import PromptCache

from .conftest import Client

CLAUDE = "anthropic/claude-haiku-4.5"
MARK = {"cache_control": {"type": "ephemeral"}}
RULES = {"role": "system", "content": [{"type": "text", "text": "Always answer in rhymes, and briefly.", **MARK}]}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def counts(client: Client, *messages: Any, model: str = CLAUDE, **body: Any) -> tuple[int, int]:
    """Tokens read and written."""
    usage = client.post("/chat/completions", {"model": model, "messages": list(messages), **body}).body["usage"]
    details = usage["prompt_tokens_details"]
    assert details["cached_tokens"] + details["cache_write_tokens"] <= usage["prompt_tokens"]
    return details["cached_tokens"], details["cache_write_tokens"]


def test_the_same_beginning_is_written_once_and_then_read(client: Client) -> None:
    none, written = counts(client, RULES, asking("Hello"))
    assert none == 0 < written
    assert counts(client, RULES, asking("Bye")) == (written, 0)
    assert counts(client, RULES, asking("Hello"), tools=[TOOL])[0] == 0, "tools stand before everything"


def test_a_breakpoint_that_moves_on_reads_the_old_and_writes_the_new(client: Client) -> None:
    rules = {"role": "system", "content": "Always answer in rhymes, and briefly."}
    _, first = counts(client, RULES, asking("Hello"))
    later = asking([{"type": "text", "text": "Hello", **MARK}])
    assert counts(client, rules, later)[0] == first
    assert counts(client, rules, later)[1] == 0


@pytest.mark.parametrize("at", ["request", "tool", "breakpoint"])
def test_every_place_of_a_mark(client: Client, at: str) -> None:
    body = {
        "request": {**MARK},
        "tool": {"tools": [{**TOOL, **MARK}]},
        "breakpoint": {
            "messages": [asking([{"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "x"}}])]
        },
    }[at]
    first = client.chat("Hi", model=CLAUDE, **body).body["usage"]["prompt_tokens_details"]
    second = client.chat("Hi", model=CLAUDE, **body).body["usage"]["prompt_tokens_details"]
    assert first["cached_tokens"] == second["cache_write_tokens"] == 0
    assert first["cache_write_tokens"] == second["cached_tokens"] > 0


def test_without_a_mark_nothing_is_cached(client: Client) -> None:
    assert [counts(client, asking("Hello")) for _ in range(2)] == [(0, 0), (0, 0)]


def test_each_model_has_its_own_cache_and_reset_empties_it(gateway: LocalGateway, client: Client) -> None:
    written = counts(client, RULES, asking("Hello"))
    assert counts(client, RULES, asking("Hello"), model="google/gemini-2.5-flash") == written
    gateway.reset()
    assert counts(client, RULES, asking("Hello")) == written


PARTS = st.fixed_dictionaries(
    {"type": st.just("text"), "text": st.text(max_size=9)}, optional={"cache_control": st.just({"type": "ephemeral"})}
)
MESSAGES = st.lists(
    st.builds(asking, st.one_of(st.text(max_size=9), st.lists(PARTS, max_size=3))), min_size=1, max_size=4
)


@given(MESSAGES, st.lists(st.sampled_from([TOOL, {**TOOL, **MARK}]), max_size=2))
def test_what_is_cached_is_part_of_the_prompt(messages: list[Any], tools: list[Any]) -> None:
    body, cache = {"messages": messages, "tools": tools}, PromptCache()
    first, second = cache.counts("m", body), cache.counts("m", body)
    assert first[0] == 0 == second[1] and first[1] == second[0] <= tokens.of_request(body)


def test_sound_and_video_are_counted(client: Client) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    film = {"type": "video_url", "video_url": {"url": "https://example.com/film.mp4"}}
    parts = [sound, film, sound]
    usage = client.chat(model="google/gemini-2.5-flash", messages=[asking(parts)]).body["usage"]
    details = usage["prompt_tokens_details"]
    assert details["audio_tokens"] == 2 * details["video_tokens"] > 0
    assert usage["prompt_tokens"] >= details["audio_tokens"] + details["video_tokens"]


def test_speech_is_counted(client: Client) -> None:
    said: dict[str, Any] = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    usage = client.chat(model="openai/gpt-4o-audio-preview", stream=True, **said).chunks[-1]["usage"]
    assert 0 < usage["completion_tokens_details"]["audio_tokens"] < usage["completion_tokens"]
