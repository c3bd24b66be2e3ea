"""Every fault of the gateway, in every way of asking: the whole answer, or the one error that it stands for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.exceptions import ModelError

import openrouter_adapters
from openrouter_adapters import OpenRouterError
from openrouter_adapters.gateway import FAULTS, LocalGateway
from openrouter_adapters.gateway.refusals import REFUSALS
from openrouter_adapters.langchain import OpenRouterEmbeddings
from openrouter_adapters.langchain import OpenRouterRerank as LangChainRerank
from openrouter_adapters.langchain.errors import specialized
from openrouter_adapters.llamaindex import OpenRouterEmbedding
from openrouter_adapters.llamaindex import OpenRouterRerank as LlamaIndexRerank

from .adapters import KEY, WAYS, Way

ANSWER = "an answer"
# What each fault comes to, unstreamed and streamed where these differ.
OUTCOMES: dict[str, str | tuple[str, str]] = {
    "invalid_request": "InvalidRequestError",
    "upstream_400": "InvalidRequestError",
    "unknown_model": "InvalidRequestError",
    "context_length": "ContextOverflowError",
    "unauthorized": "AuthenticationError",
    "insufficient_credits": "InsufficientCreditsError",
    "cannot_afford": "InsufficientCreditsError",
    "key_limit": "InsufficientCreditsError",
    "in_flight_budget": "InsufficientCreditsError",
    "moderation": "ModerationError",
    "guardrail": "PermissionDeniedError",
    "permission_denied": "PermissionDeniedError",
    "guardrail_budget": "PermissionDeniedError",
    "region_restricted": "PermissionDeniedError",
    "no_endpoints": "NoEndpointsError",
    "no_endpoints_prose": "NoEndpointsError",
    "privacy_restricted": "NoEndpointsError",
    "constraint_filtered": "NoEndpointsError",
    "not_found": "NotFoundError",
    "request_timeout": "APITimeoutError",
    "payload_too_large": "InvalidRequestError",
    "unprocessable": "UnprocessableRequestError",
    "rate_limit": "RateLimitError",
    "upstream_rate_limit": "RateLimitError",
    "capacity_exhausted": "RateLimitError",
    "server_error": "ProviderError",
    "upstream_502": "ProviderError",
    "unavailable": "NoEndpointsError",
    "gateway_timeout": "ProviderError",
    "edge_timeout": "ProviderError",
    "overloaded": "ProviderError",
    "error_200": "ProviderError",
    "null_choices": "MalformedResponseError",
    "empty_choices": "MalformedResponseError",
    "choice_error": ("ProviderError", "StreamInterruptedError"),
    "finish_error": "ProviderError",
    "html": "MalformedResponseError",
    "empty_body": ("MalformedResponseError", "IncompleteStreamError"),
    "empty_answer": ANSWER,
    "json_for_stream": ANSWER,
    "shuffled": ANSWER,
    "missing_item": ANSWER,
    "empty_vector": ANSWER,
    "error_chunk": ("ProviderError", "StreamInterruptedError"),
    "error_chunk_bare": ("ProviderError", "StreamInterruptedError"),
    "error_chunk_with_usage": ("InvalidRequestError", "StreamInterruptedError"),
    "error_chunk_first": "ProviderError",
    "late_error": "ProviderError",
    "cut": ("APIConnectionError", "IncompleteStreamError"),
    "cut_in_chunk": ("APIConnectionError", "IncompleteStreamError"),
    "garbage": "APIConnectionError",
    "hang_up": "APIConnectionError",
    "truncated": ("MalformedResponseError", "IncompleteStreamError"),
    "no_done": ANSWER,
    "no_finish": ANSWER,
    "silence": "APITimeoutError",
    "comments_forever": "StallTimeoutError",
    "malformed_chunk": "MalformedResponseError",
    "slow_start": ANSWER,
}
# What would otherwise take its time.
DETAILS: dict[str, dict[str, Any]] = {
    **{name: {"retry_after": 0} for name in ("in_flight_budget", "rate_limit", "unavailable")},
    "slow_start": {"seconds": 0.01},
}
LIMITS: dict[str, dict[str, Any]] = {"silence": {"timeout": 0.2}, "comments_forever": {"stall_timeout": 0.2}}
# Retried while nothing was handed over: what may pass by itself.
PASSING = {
    *("in_flight_budget", "request_timeout", "rate_limit", "upstream_rate_limit", "capacity_exhausted", "server_error"),
    *("upstream_502", "unavailable", "gateway_timeout", "edge_timeout", "overloaded", "error_200", "choice_error"),
    *("finish_error", "error_chunk", "error_chunk_bare", "error_chunk_first", "late_error", "cut", "cut_in_chunk"),
    *("garbage", "hang_up", "silence", "comments_forever"),
}
BEGUN = "one two three four"
# A stream of these breaks off after its first pieces.
INTERRUPTED = {
    *("choice_error", "error_chunk", "error_chunk_bare", "error_chunk_with_usage", "cut", "cut_in_chunk", "truncated"),
    *("silence", "comments_forever", "malformed_chunk"),
}


# And of these what was charged is told all the same, be it after the error.
CHARGED = {"choice_error", "error_chunk_with_usage"}


def expected(fault: str, streams: bool) -> str:
    outcome = OUTCOMES[fault]
    return outcome if isinstance(outcome, str) else outcome[streams]


def test_every_fault_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(FAULTS)


@dataclass(frozen=True)
class Case:
    """A fault, a way of asking, and what asking comes to."""

    fault: str
    way: Way
    transport: str = ""

    def __str__(self) -> str:
        return f"{self.fault}-{self.way}{self.transport}"

    def outcome(self, runner: asyncio.Runner, gateway: LocalGateway, **options: Any) -> Any:
        gateway.reply(chunks=["one", " two", " three", " four"], cost=0.25, times=None)
        gateway.fault(self.fault, **DETAILS.get(self.fault, {}))
        limits = LIMITS.get(self.fault, {})
        transport = {"http_async_client": self.transport} if self.transport else {}
        given = {"model": "openai/gpt-4o-mini", "models": ["openai/gpt-4o"], **limits, **transport, **options}
        return self.way.outcome(runner, gateway.base_url, **given)


CASES = [
    *(Case(fault, way) for fault in OUTCOMES for way in WAYS),
    *(Case(fault, way, "aiohttp") for fault in OUTCOMES if fault not in REFUSALS for way in WAYS if way.waits),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_outcome(case: Case, runner: asyncio.Runner, openrouter_gateway: LocalGateway) -> None:
    outcome = case.outcome(runner, openrouter_gateway)
    kind, streams = expected(case.fault, case.way.streams), case.way.streams
    (sent,) = openrouter_gateway.requests
    assert sent.wait(1.0), "the connection is still open"
    if kind == ANSWER:
        said = "" if case.fault == "empty_answer" else "one" if case.fault == "no_finish" and streams else BEGUN
        assert case.way.shown(outcome).get("text", "") == said
        return
    exact = getattr(openrouter_adapters, kind)
    langchains = case.way.adapter == "langchain"
    assert type(outcome) is (specialized(exact) if langchains else exact)
    assert isinstance(outcome, ModelError) is langchains
    assert outcome.message and outcome.model and KEY not in f"{outcome!r} {outcome} {vars(outcome)}"
    assert case.fault not in REFUSALS or outcome.status_code == REFUSALS[case.fault].standard.status
    if streams and case.fault in INTERRUPTED:
        partial = outcome.partial
        assert partial and partial.text == (BEGUN if case.fault == "choice_error" else "one")
        assert outcome.generation_id == partial.id and outcome.provider == "OpenAI"
        assert (partial.usage is not None) is (case.fault in CHARGED)


@pytest.mark.parametrize("case", [case for case in CASES if not case.transport], ids=str)
def test_what_may_pass_is_asked_again(
    case: Case, runner: asyncio.Runner, openrouter_gateway: LocalGateway, at_once: list[float]
) -> None:
    """And never anything that was handed over in part."""
    outcome = case.outcome(runner, openrouter_gateway, max_retries=1)
    begun = case.way.streams and case.fault in INTERRUPTED
    again = not begun and (case.fault in PASSING or (case.fault == "empty_body" and case.way.streams))
    assert len(openrouter_gateway.requests) == 1 + again
    if again:
        assert case.way.shown(outcome)["text"] == BEGUN
        [failed] = case.way.failed_tries(outcome)
        assert failed["error"] == expected(case.fault, case.way.streams)
    elif expected(case.fault, case.way.streams) != ANSWER:
        assert isinstance(outcome, OpenRouterError) and outcome.failed_tries == ()


# -------------------------------------------------------------------------------------------- embeddings and reranking

DOCUMENTS = ["Paris", "Lima"]
BESIDE_CHAT: dict[str, tuple[Any, str, tuple[Any, ...]]] = {
    "langchain-embed": (OpenRouterEmbeddings, "embed", (DOCUMENTS,)),
    "llamaindex-embed": (OpenRouterEmbedding, "embed", (DOCUMENTS,)),
    "langchain-rerank": (LangChainRerank, "rerank", ("France", DOCUMENTS)),
    "llamaindex-rerank": (LlamaIndexRerank, "rerank", ("France", DOCUMENTS)),
}
MODELS = {"embed": "openai/text-embedding-3-small", "rerank": "cohere/rerank-v3.5"}
# Of chat's choices, which these have none of.
OF_CHAT = {"null_choices", "empty_choices", "choice_error", "finish_error", "empty_answer", "json_for_stream"}
MISMATCHED = {"embed": {"missing_item", "empty_vector"}, "rerank": {"missing_item"}}


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("fault", [fault for fault in OUTCOMES if fault not in OF_CHAT])
@pytest.mark.parametrize("which", BESIDE_CHAT)
def test_embeddings_and_reranking(
    which: str, fault: str, waits: bool, runner: asyncio.Runner, openrouter_gateway: LocalGateway
) -> None:
    cls, method, arguments = BESIDE_CHAT[which]
    limits = LIMITS.get(fault, {})
    model = cls(model=MODELS[method], base_url=openrouter_gateway.base_url, api_key=KEY, max_retries=0, **limits)
    openrouter_gateway.fault(fault, **DETAILS.get(fault, {}))
    kind = "MalformedResponseError" if fault in MISMATCHED[method] else expected(fault, streams=False)

    def ask() -> Any:
        asked = getattr(model, "a" * waits + method)(*arguments)
        return runner.run(asked) if waits else asked

    if kind == ANSWER:
        assert ask().cost > 0
        return
    with pytest.raises(getattr(openrouter_adapters, kind)) as caught:
        ask()
    assert isinstance(caught.value, ModelError) is which.startswith("langchain")
    assert len(openrouter_gateway.requests) == 1 and openrouter_gateway.requests[0].wait(1.0)
