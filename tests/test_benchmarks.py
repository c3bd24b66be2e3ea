"""The benchmarks measure what they say: everybody reads all of the same answers; function calls do not grow unseen."""

from __future__ import annotations

import asyncio
import cProfile
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.llms import ChatMessage

from benchmarks import run
from benchmarks.contenders import FRAMEWORKS, OurLangChain, OurLangChainOverAiohttp, OurLlamaIndex, Raw
from benchmarks.measures import GOALS, IMPORT, MEASURES, Goal
from benchmarks.worker import CHUNK, Worker

ROOT = Path(__file__).resolve().parents[1]
# Function calls for one chunk of text, reasoning and a tool call.
MOST_CALLS = {OurLangChain: (110, 135, 140), OurLlamaIndex: (85, 90, 95)}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with run.server(Path(sys.executable)) as found:
        yield found


@pytest.fixture(params=[Raw, OurLangChain, OurLlamaIndex])
def worker(request: pytest.FixtureRequest, address: str) -> Iterator[Worker]:
    made = Worker(request.param(f"{address}/api/v1"), address)
    yield made
    made.close()


def test_every_piece_is_read(worker: Worker) -> None:
    assert sum(worker.contender.stream(worker.model("bench/text-50"))) == 50 * CHUNK
    assert worker.contender.call(worker.model("bench/call-0")) == 34 * CHUNK
    assert worker.connections() == 0


@pytest.mark.parametrize("contender", MOST_CALLS)
@pytest.mark.parametrize(("place", "kind"), [(0, "text"), (1, "reasoning"), (2, "tool")])
def test_a_chunk_takes_few_function_calls(contender: type, place: int, kind: str, address: str) -> None:
    worker = Worker(contender(f"{address}/api/v1"), address)
    assert worker.calls_per_chunk(kind) <= MOST_CALLS[contender][place]
    worker.close()


def count(work: Callable[[], object]) -> int:
    """How many functions are called."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


def tools(number: int) -> list[dict[str, Any]]:
    form = {"type": "object", "properties": {"a": {"type": "string"}}}
    return [{"type": "function", "function": {"name": f"f{i}", "parameters": form}} for i in range(number)]


def grow_langchain(model: Any, number: int) -> dict[str, Callable[[], object]]:
    messages = [HumanMessage("a"), AIMessage("b")] * number
    return {"messages": lambda: model.invoke(messages), "tools": lambda: model.bind_tools(tools(number)).invoke("a")}


def grow_llamaindex(model: Any, number: int) -> dict[str, Callable[[], object]]:
    messages = [ChatMessage(role="user", content="a"), ChatMessage(role="assistant", content="b")] * number
    return {"messages": lambda: model.chat(messages), "tools": lambda: model.chat(messages[:1], tools=tools(number))}


@pytest.mark.parametrize(("contender", "grow"), [(OurLangChain, grow_langchain), (OurLlamaIndex, grow_llamaindex)])
@pytest.mark.parametrize("what", ["messages", "tools"])
def test_cost_grows_no_faster_than_messages_and_tools(contender: type, grow: Any, what: str, address: str) -> None:
    model = contender(f"{address}/api/v1").make("bench/call-0")
    grow(model, 1)[what]()
    few, more, many = (count(grow(model, number)[what]) for number in (50, 100, 200))
    assert many - more <= 2.1 * (more - few)


@pytest.mark.parametrize("contender", [OurLangChain, OurLlamaIndex])
@pytest.mark.parametrize("kind", ["text", "reasoning", "tool"])
def test_cost_grows_no_faster_than_chunks(contender: type, kind: str, address: str) -> None:
    worker = Worker(contender(f"{address}/api/v1"), address)
    worker.read(f"bench/{kind}-50")
    few, more, many = (count(partial(worker.read, f"bench/{kind}-{number}")) for number in (500, 1000, 2000))
    worker.close()
    assert many - more <= 2.1 * (more - few)


async def test_500_streams_go_on_side_by_side(address: str) -> None:
    """Each is open until all have had their first chunk: none waits for another's end."""
    contender = OurLangChainOverAiohttp(f"{address}/api/v1")
    model, begun, all_begun = contender.make("bench/text-2-timed"), 0, asyncio.Event()

    async def read() -> int:
        nonlocal begun
        pieces = 0
        async for text in contender.atexts(model):
            if text and not pieces:
                begun += 1
                if begun == 500:
                    all_begun.set()
                await asyncio.wait_for(all_begun.wait(), 30)
            pieces += bool(text)
        return pieces

    assert await asyncio.gather(*(read() for _ in range(500))) == [2] * 500
    await model.aclose()


def test_goals_are_of_what_is_measured() -> None:
    titles = {measure.title for measure in (*MEASURES, IMPORT)}
    for framework, goals in GOALS.items():
        assert {goal.measure for goal in goals} <= titles
        assert {name for goal in goals for name in (goal.of, *goal.by)} <= {*FRAMEWORKS[framework]}


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    values = {"call, µs": {"ours": [1.0, 2.0, 90.0], "a": [1.0, 2.0, 10.0], "b": [1.0, 2.0, 20.0]}}
    assert run.ratio(Goal("call, µs", ("a", "b"), 1), values) == 0.5
    assert run.ratio(Goal("call, µs", (), 1), values) == 2.0
    assert run.ratio(Goal("call, µs", ("nobody",), 1), values) is None
    assert run.is_met(Goal("call, µs", ("a",), 1), 0.9) and not run.is_met(Goal("call, µs", ("a",), 1), 1.1)


def test_a_worker_answers_over_its_pipes(address: str) -> None:
    command = [sys.executable, "-m", "benchmarks.worker", "langchain", "raw floor", address]
    asked = '["connections", {}]\n["nothing", {}]\n'
    said = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60).stdout
    assert said.splitlines()[:2] == ["ready", '{"value": 0}'] and '{"error": ' in said
