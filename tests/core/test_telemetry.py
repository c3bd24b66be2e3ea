"""OpenTelemetry: a span for each call, where it belongs, with what it took and never with content."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from openrouter_adapters import OpenRouterError, __version__
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.costs import listeners, track_costs
from openrouter_adapters.core.embeddings import EmbeddingOptions, embed, embedding_requests
from openrouter_adapters.core.records import CallRecord, Tokens
from openrouter_adapters.core.rerank import RerankOptions, rerank, rerank_request
from openrouter_adapters.core.telemetry import attributes_of, trace_calls
from openrouter_adapters.gateway import LocalGateway

from .asking import KEY, Ask, complete, request, ways

SOURCE = Path(__file__).resolve().parents[2] / "integrations"
MODEL = "openai/gpt-4o-mini"
FULL = CallRecord(
    time=datetime(2026, 11, 26, 12, 0, 0, 123457, UTC),
    seconds=1.5,
    requested_model="a/asked",
    model="a/served",
    provider="Some Provider",
    id="gen-1",
    tokens=Tokens(5, 4, 3, 2, 1),
    cost=Decimal("0.0123"),
    status_code=200,
    tags=("team:blue", "b"),
)


class Spans:
    """Where spans go, and what came."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def of_calls(self) -> list[ReadableSpan]:
        return [
            span
            for span in self._exporter.get_finished_spans()
            if span.instrumentation_scope and span.instrumentation_scope.name == "openrouter_adapters"
        ]

    def only(self) -> ReadableSpan:
        (span,) = self.of_calls
        return span


@pytest.fixture
def spans() -> Iterator[Spans]:
    made = Spans()
    yield made
    made.provider.shutdown()


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_what_a_span_says(spans: Spans) -> None:
    with trace_calls(spans.provider) as tracing:
        tracing.append(FULL)
    span = spans.only()
    assert (span.name, span.kind, span.parent) == ("chat a/asked", SpanKind.CLIENT, None)
    assert span.instrumentation_scope is not None and span.instrumentation_scope.version == __version__
    assert said(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openrouter",
        "gen_ai.request.model": "a/asked",
        "gen_ai.response.model": "a/served",
        "gen_ai.response.id": "gen-1",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "gen_ai.usage.cost": 0.0123,
        "gen_ai.usage.cost.amount": 0.0123,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "provider",
        "openrouter.provider": "Some Provider",
        "openrouter.status_code": 200,
        "openrouter.tags": ("team:blue", "b"),
    }
    begun = int(datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()) * 1_000_000_000 + 123_457_000
    assert (span.start_time, span.end_time) == (begun, begun + 1_500_000_000)
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"cost": Decimal(0)}, {"gen_ai.usage.cost": 0.0, "gen_ai.usage.cost.amount": 0.0}),
        ({"cost": None, "priced": False}, {"gen_ai.usage.cost": None, "openrouter.unpriced": True}),
        ({"cost": None, "priced": False, "served": False}, {"openrouter.unpriced": None}),
        ({"tokens": Tokens(), "model": None}, {"gen_ai.usage.input_tokens": None, "gen_ai.response.model": None}),
        ({"tokens": Tokens(input=3)}, {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 0}),
        ({"outcome": "left"}, {"error.type": None}),
        ({"outcome": "RateLimitError", "status_code": 429}, {"error.type": "RateLimitError"}),
    ],
)
def test_what_is_unknown_is_absent(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    told = attributes_of(replace(FULL, **facts))
    assert {name: told.get(name) for name in expected} == expected
    assert None not in told.values()


@pytest.mark.parametrize(
    ("endpoint", "model", "name"),
    [
        ("/chat/completions", "m", "chat m"),
        ("/embeddings", "m", "embeddings m"),
        ("/rerank", "m", "rerank m"),
        ("/chat/completions", None, "chat"),
    ],
)
def test_the_name_of_a_span(spans: Spans, endpoint: str, model: str | None, name: str) -> None:
    with trace_calls(spans.provider) as tracing:
        tracing.append(replace(FULL, endpoint=endpoint, requested_model=model))
    assert spans.only().name == name
    assert said(spans.only())["gen_ai.operation.name"] == name.partition(" ")[0]


@ways
def test_a_call_belongs_to_what_it_was_made_in(
    client: Client, openrouter_gateway: LocalGateway, spans: Spans, ask: Ask
) -> None:
    openrouter_gateway.reply("Hello there", cost=0.25)
    tracer = spans.provider.get_tracer("the application")
    before = datetime.now(UTC) - timedelta(seconds=1)
    with trace_calls(spans.provider), track_costs() as costs, tracer.start_as_current_span("outer") as outer:
        ask(client, request(openrouter_gateway))
    span, (record,) = spans.only(), costs.records
    assert span.parent is not None and span.parent.span_id == outer.get_span_context().span_id
    assert span.name == f"chat {MODEL}"
    told = said(span)
    assert (told["gen_ai.usage.cost.amount"], told["gen_ai.response.id"]) == (0.25, record.id)
    assert told["gen_ai.usage.input_tokens"] == record.tokens.input > 0
    assert span.start_time is not None and span.end_time is not None
    assert before.timestamp() * 1e9 < span.start_time <= span.end_time


def test_a_stream_belongs_to_where_it_began(client: Client, openrouter_gateway: LocalGateway, spans: Spans) -> None:
    tracer = spans.provider.get_tracer("the application")
    with trace_calls(spans.provider), ExitStack() as open_ones:
        with tracer.start_as_current_span("begun in") as first:
            arriving = iter(open_ones.enter_context(client.stream(request(openrouter_gateway))))
            next(arriving)
        with tracer.start_as_current_span("ended in"):
            assert [*arriving]
    span = spans.only()
    assert span.parent is not None and span.parent.span_id == first.get_span_context().span_id


def test_every_endpoint_has_its_span(client: Client, openrouter_gateway: LocalGateway, spans: Spans) -> None:
    given = {"api_key": KEY, "base_url": openrouter_gateway.base_url}
    embedding, ranking = "openai/text-embedding-3-small", "cohere/rerank-v3.5"
    with trace_calls(spans.provider):
        complete(client, request(openrouter_gateway))
        embed(client, embedding_requests(EmbeddingOptions(model=embedding, **given), {}, ["a"], "document", 10))
        rerank(client, rerank_request(RerankOptions(model=ranking, **given), {}, "q", ["a", "b"]))
    assert [span.name for span in spans.of_calls] == [f"chat {MODEL}", f"embeddings {embedding}", f"rerank {ranking}"]


@ways
def test_a_failed_call_is_an_error_without_content(
    client: Client, openrouter_gateway: LocalGateway, spans: Spans, ask: Ask
) -> None:
    openrouter_gateway.fault("error_200", code=429, message="words of theirs")
    with trace_calls(spans.provider), pytest.raises(OpenRouterError):
        ask(client, request(openrouter_gateway))
    span = spans.only()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "RateLimitError")
    assert (said(span)["error.type"], said(span)["openrouter.status_code"]) == ("RateLimitError", 429)
    assert not [word for word in ("words of theirs", KEY, 'hi"') if word in span.to_json()]


def test_each_try_has_its_span(
    client: Client, openrouter_gateway: LocalGateway, spans: Spans, at_once: list[float]
) -> None:
    openrouter_gateway.fault("error_200", code=429, message="slow")
    with trace_calls(spans.provider):
        complete(client, request(openrouter_gateway, max_retries=1))
    assert [said(span).get("error.type") for span in spans.of_calls] == ["RateLimitError", None]


def test_neither_content_nor_key_is_told(client: Client, openrouter_gateway: LocalGateway, spans: Spans) -> None:
    openrouter_gateway.reply("Words that were answered")
    with trace_calls(spans.provider):
        complete(client, request(openrouter_gateway, user="somebody"))
    assert not [word for word in (KEY, "Words", 'hi"', "somebody") if word in spans.only().to_json()]


def test_it_can_be_undone(client: Client, openrouter_gateway: LocalGateway, spans: Spans) -> None:
    before = listeners()
    tracing = trace_calls(spans.provider)
    complete(client, request(openrouter_gateway))
    tracing.stop()
    tracing.stop()
    assert listeners() == before
    complete(client, request(openrouter_gateway))
    assert len(spans.of_calls) == 1


def test_asked_for_twice_a_span_is_made_once(client: Client, openrouter_gateway: LocalGateway, spans: Spans) -> None:
    other = Spans()
    with trace_calls(spans.provider), trace_calls(spans.provider), trace_calls(other.provider):
        complete(client, request(openrouter_gateway))
    assert len(spans.of_calls) == len(other.of_calls) == 1
    other.provider.shutdown()


def test_what_is_settled_later_has_its_span_already(spans: Spans) -> None:
    with trace_calls(spans.provider) as tracing:
        tracing.append(replace(FULL, cost=None, priced=False))
        tracing.append(replace(FULL, settled=True))
    assert "gen_ai.usage.cost" not in said(spans.only())


def test_the_global_provider_is_the_default(
    client: Client, openrouter_gateway: LocalGateway, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans.provider)
    with trace_calls():
        complete(client, request(openrouter_gateway))
    assert spans.only().name == f"chat {MODEL}"


def in_process(script: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, timeout=120
    ).stdout


def test_without_opentelemetry_it_says_what_to_install() -> None:
    script = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from openrouter_adapters.core.telemetry import trace_calls\n"
        "try: trace_calls()\n"
        "except ImportError as error: print(error)\n"
    )
    assert "pip install 'openrouter-adapters[otel]'" in in_process(script)


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    script = (
        "import sys\n"
        "from openrouter_adapters.core.telemetry import trace_calls\n"
        "heavy = {'opentelemetry', 'opentelemetry.sdk', 'sqlite3', 'openai'}\n"
        "print(sorted(heavy & {*sys.modules}))\n"
        "trace_calls().stop()\n"
        "print(sorted(heavy & {*sys.modules}))\n"
    )
    assert in_process(script).splitlines() == ["[]", "['opentelemetry']"]
