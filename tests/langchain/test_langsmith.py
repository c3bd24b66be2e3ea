"""What a LangSmith server gets to know of the cost: the real client and tracer, and a server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import Client

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterCostHandler

from ..loopback import Server, http

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore:The v3 streaming protocol"),
]

Make = Callable[..., ChatOpenRouter]


class Traces:
    """What was sent to LangSmith, put together by run."""

    def __init__(self, server: Server) -> None:
        self._server = server
        client = Client(api_url=server.url, api_key="ls", auto_batch_tracing=False, info={})
        self.config: Any = {"callbacks": [LangChainTracer(client=client)]}

    def runs(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for received in self._server.received:
            body = json.loads(received.body)
            found.setdefault(body["id"], {}).update(body)
        return list(found.values())


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    with Server(lambda _: http(200, {})) as server:
        yield Traces(server)


def ask(model: ChatOpenRouter, config: Any) -> None:
    """In every way."""
    model.invoke("hi", config)
    list(model.stream("hi", config))
    assert model.stream_events("hi", config, version="v3").output

    async def others() -> None:
        await model.ainvoke("hi", config)
        _ = [chunk async for chunk in model.astream("hi", config)]
        await (await model.astream_events("hi", config, version="v3"))

    asyncio.run(others())


DETAILS = {
    "upstream_inference_cost": 0.25,
    "upstream_inference_prompt_cost": 0.05,
    "upstream_inference_completions_cost": 0.2,
}


def test_a_run_has_the_cost_that_was_charged(make: Make, openrouter_gateway: LocalGateway, traces: Traces) -> None:
    openrouter_gateway.reply("an answer of several pieces", cost=0.3, usage={"cost_details": DETAILS}, times=None)
    ask(make(cost_in_usage=True), traces.config)
    runs = traces.runs()
    assert len(runs) == 6
    for run in runs:
        usage = run["extra"]["metadata"]["usage_metadata"]
        assert (usage["total_cost"], usage["input_cost"], usage["output_cost"]) == (0.3, 0.05, 0.2)
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_a_run_says_whose_model_it_was(make: Make, openrouter_gateway: LocalGateway, traces: Traces) -> None:
    model = make()
    model.invoke("hi", traces.config)
    model.invoke("hi", traces.config, model="openai/gpt-4o")
    make(model=None, models=["openai/gpt-4o", "openai/gpt-4o-mini"]).invoke("hi", traces.config)
    said = [run["extra"]["metadata"] for run in traces.runs()]
    assert [facts["ls_provider"] for facts in said] == ["openrouter"] * 3
    assert [facts["ls_model_name"] for facts in said] == ["openai/gpt-4o-mini", *["openai/gpt-4o"] * 2]


def test_without_being_asked_for_there_are_counts_alone(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway, traces: Traces
) -> None:
    ask(model, traces.config)
    for run in traces.runs():
        usage = run["extra"]["metadata"]["usage_metadata"]
        assert usage["total_tokens"] > 0
        assert not [name for name in usage if "cost" in name]


def test_the_handler_and_the_tracer_agree(make: Make, traces: Traces) -> None:
    costs = OpenRouterCostHandler()
    model = make(cost_in_usage=True)
    ask(model, {"callbacks": [*traces.config["callbacks"], costs], "tags": ["mine"]})
    told = [run["extra"]["metadata"]["usage_metadata"]["total_cost"] for run in traces.runs()]
    assert told == [float(record.cost) for record in costs.records if record.cost is not None]
    assert all(run["tags"] == ["mine"] for run in traces.runs())
