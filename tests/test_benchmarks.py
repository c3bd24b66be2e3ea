"""The benchmarks measure what they say: everybody reads all of the same answers; function calls do not grow unseen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.contenders import FRAMEWORKS, OurLangChain, OurLlamaIndex, Raw
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
