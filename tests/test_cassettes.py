"""The cassettes: both adapters, sync and async, whole and streamed; and nothing in them that identifies anybody."""

from __future__ import annotations

import asyncio
import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from vcr.errors import CannotOverwriteExistingCassetteException

from cassettes.conversations import ASK, CONVERSATIONS, MODELS, RECORDINGS
from cassettes.record import record, record_locally
from cassettes.tape import FOLDER, path_of, recorder
from openrouter_adapters import APIConnectionError, InvalidRequestError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.pytest_plugin import _openrouter_gateway_server, openrouter_gateway

from .conformance.adapters import Way, summed
from .conformance.reader import chunks, facts, folded

__all__ = ["_openrouter_gateway_server", "openrouter_gateway"]

FILES = sorted(FOLDER.glob("*/*.yaml"))
MARK = "marked-and-never-to-be-seen"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


# ----------------------------------------------------------------------------------------------------------- replay


async def langchain_whole(model: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> Any:
    return await (model.bind_tools(tools) if tools else model).ainvoke(talk)


async def langchain_streamed(model: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> Any:
    bound = model.bind_tools(tools) if tools else model
    return reduce(operator.add, [chunk async for chunk in bound.astream(talk)])


async def llamaindex_whole(llm: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> Any:
    return await (llm.achat_with_tools(tools, chat_history=list(talk)) if tools else llm.achat(talk))


async def llamaindex_streamed(llm: Any, talk: Sequence[Any], tools: Sequence[Any] = ()) -> Any:
    opening = llm.astream_chat_with_tools(tools, chat_history=list(talk)) if tools else llm.astream_chat(talk)
    return [item async for item in await opening][-1]


ASK_ASYNC: dict[tuple[str, str], Callable[..., Any]] = {
    ("langchain", "whole"): langchain_whole,
    ("langchain", "streamed"): langchain_streamed,
    ("llamaindex", "whole"): llamaindex_whole,
    ("llamaindex", "streamed"): llamaindex_streamed,
}


def replayed(adapter: str, conversation: str, form: str, ask: Callable[..., Any]) -> tuple[Any, Any]:
    """Hold a conversation with its cassette: the last answer, and the cassette."""

    def make(**options: Any) -> Any:
        return MODELS[adapter](api_key="k", max_retries=0, **options)

    with recorder().use_cassette(str(path_of(adapter, conversation, form))) as cassette:
        answer = CONVERSATIONS[adapter, conversation](make, ask)
    assert cassette.all_played
    return answer, cassette


def asker(adapter: str, form: str, waits: bool, runner: asyncio.Runner) -> Callable[..., Any]:
    if not waits:
        return ASK[adapter, form]
    return lambda *question: runner.run(ASK_ASYNC[adapter, form](*question))


def body_of(cassette: Any) -> dict[str, Any]:
    """The last answer of a cassette, as the wire has it unstreamed."""
    response = cassette.responses[-1]
    text = response["body"]["string"].decode()
    streamed = "text/event-stream" in response["headers"]["content-type"]
    return folded(chunks(text)) if streamed else json.loads(text)


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("adapter", "conversation", "form"), RECORDINGS)
def test_every_cassette_replays(
    adapter: str, conversation: str, form: str, waits: bool, runner: asyncio.Runner
) -> None:
    answer, cassette = replayed(adapter, conversation, form, asker(adapter, form, waits, runner))
    if conversation == "error":
        assert isinstance(answer, InvalidRequestError) and answer.message == body_of(cassette)["error"]["message"]
        return
    plain = summed([answer]) if (adapter, form) == ("langchain", "streamed") else answer
    shown = Way(adapter, form == "streamed", waits).shown(plain)
    assert shown == facts(body_of(cassette))
    assert shown["text"] and shown["cost"] > 0 and shown["provider"]


@pytest.mark.parametrize("adapter", MODELS)
def test_a_fallback_was_recorded(adapter: str) -> None:
    answer, _ = replayed(adapter, "fallback", "whole", ASK[adapter, "whole"])
    told = answer.response_metadata if adapter == "langchain" else answer.additional_kwargs
    assert told["fallback_used"] is True and told["requested_model"] == "openai/gpt-4o-mini"


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("adapter", MODELS)
def test_a_changed_body_finds_nothing(adapter: str, waits: bool, runner: asyncio.Runner) -> None:
    ask = asker(adapter, "whole", waits, runner)

    def make_other(**options: Any) -> Any:
        return MODELS[adapter](api_key="k", max_retries=0, **{**options, "seed": 1})

    cassette = recorder().use_cassette(str(path_of(adapter, "plain", "whole")))
    # openai 2.x takes vcrpy's exception for network trouble, 3.x lets it through.
    refused = (APIConnectionError, CannotOverwriteExistingCassetteException)
    with cassette, pytest.raises(refused, match="No match for the request"):
        CONVERSATIONS[adapter, "plain"](make_other, ask)


# -------------------------------------------------------------------------------------------------- what is in them


def test_every_conversation_has_its_cassette() -> None:
    assert set(FILES) == {path_of(*recording) for recording in RECORDINGS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_nothing_identifies_anybody(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"sk-|bearer|authorization|cookie|cf-ray|referer|x-title|stainless", text, re.IGNORECASE)
    assert not re.search(r"127\.0\.0\.1|localhost|user_(?!redacted|id)\w+|gen-(?!recorded)\w+", text)
    for interaction in yaml.safe_load(text)["interactions"]:
        assert interaction["request"]["uri"] == "https://openrouter.ai/api/v1/chat/completions"
        assert {*interaction["request"]["headers"]} == {"content-type"}
        assert {*interaction["response"]["headers"]} <= {"content-type", "retry-after"}


def test_cassettes_are_small() -> None:
    assert max(path.stat().st_size for path in FILES) < 20_000


def connection(gateway: LocalGateway) -> dict[str, Any]:
    """Options that say who somebody is in every way there is."""
    said = {"api_key": MARK, "app_url": f"https://{MARK}.example", "app_title": MARK, "user": MARK, "session_id": MARK}
    return {**said, "default_headers": {"x-mark": MARK}, "base_url": gateway.base_url, "max_retries": 0}


@pytest.mark.parametrize("form", ["whole", "streamed"])
@pytest.mark.parametrize("adapter", MODELS)
def test_a_recording_leaves_out_who_made_it(
    adapter: str, form: str, openrouter_gateway: LocalGateway, tmp_path: Path
) -> None:
    openrouter_gateway.reply("Hello!", headers={"set-cookie": MARK, "cf-ray": MARK, "x-generation-id": MARK})
    for conversation in ("plain", "error"):
        path = tmp_path / f"{conversation}.yaml"
        record(adapter, conversation, form, connection(openrouter_gateway), "a test", path)
        assert "messages" in path.read_text() and MARK not in path.read_text()
    assert MARK in str(openrouter_gateway.requests[0].headers), "the gateway was told"


@pytest.mark.parametrize("form", ["whole", "streamed"])
@pytest.mark.parametrize("adapter", MODELS)
def test_recording_again_gives_the_same(
    adapter: str, form: str, openrouter_gateway: LocalGateway, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        record_locally(openrouter_gateway, adapter, "tools", form, tmp_path / name)
    assert (tmp_path / "first").read_text() == (tmp_path / "second").read_text()
