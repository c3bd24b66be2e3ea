"""Which endpoint answers: ``models``, ``provider`` and model variants, decided without any I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from . import problems
from .market import Endpoint, Model, Provider
from .problems import Problem
from .reply import Body

__all__ = ["Route", "route"]

DEFAULT_MODEL = "openai/gpt-4o-mini"
AUTO = "openrouter/auto"
_MAX_FALLBACKS = 3
_VARIANTS = ("nitro", "floor", "exacto", "extended", "online", "thinking")
_NOT_PARAMETERS = frozenset(
    {
        *("model", "models", "messages", "provider", "plugins", "preset", "route", "transforms"),
        *("stream", "stream_options", "usage", "user", "session_id", "metadata", "trace"),
        *("service_tier", "modalities", "cache_control", "prompt_cache_key"),
    }
)
_SORT_BY_VARIANT = {"nitro": "throughput", "floor": "price"}


@dataclass(frozen=True)
class Market:
    """The state of things that routing looks at.

    Attributes:
        models: what is for sale.
        providers: who sells.
        down: providers that fail, and with which status.
        slow: providers that take their time, and how many seconds.
    """

    models: Mapping[str, Model]
    providers: Mapping[str, Provider]
    down: Mapping[str, int] = field(default_factory=dict)
    slow: Mapping[str, float] = field(default_factory=dict)

    def find(self, asked: str) -> Model | None:
        """The model behind a slug, an alias or a variant."""
        model = self.models.get(asked) or next((m for m in self.models.values() if m.canonical_slug == asked), None)
        base, _, variant = asked.rpartition(":")
        return model or (self.models.get(base) if variant in _VARIANTS else None)


@dataclass(frozen=True)
class Attempt:
    """One endpoint that was asked."""

    model: Model
    provider: Provider
    status: int = 200

    def as_json(self) -> Body:
        """The attempt as ``openrouter_metadata`` has it."""
        return {"provider": self.provider.name, "model": self.model.answers_as, "status": self.status}

    def as_error(self) -> Body:
        """The attempt as ``previous_errors`` has it."""
        message = f"{self.provider.name} answered with status {self.status}"
        return {"code": self.status, "message": message, "provider": self.provider.name}


@dataclass(frozen=True)
class Route:
    """The endpoint that answers, and how it was found.

    Attributes:
        requested: the model that the request put first.
        strategy: the wire's word for the way it was chosen.
        model: the model that answers.
        endpoint: its price.
        provider: who answers.
        attempts: all endpoints that were asked, the last one answers.
        available: all endpoints of that model that could have been asked.
    """

    requested: str
    strategy: str
    model: Model
    endpoint: Endpoint
    provider: Provider
    attempts: tuple[Attempt, ...]
    available: tuple[Provider, ...]

    @property
    def family(self) -> str:
        """The family of models that the answer comes from."""
        return self.model.id.partition("/")[0]

    @property
    def answers_as(self) -> str:
        """The model's name in the answer."""
        return self.model.answers_as

    def metadata(self) -> Body:
        """The route as ``openrouter_metadata``."""
        names = [
            {"provider": seller.name, "model": self.model.answers_as, "selected": seller == self.provider}
            for seller in self.available
        ]
        return {
            "requested": self.requested,
            "strategy": self.strategy,
            "region": "local",
            "summary": f"available={len(names)}, selected={self.provider.name}",
            "attempt": len(self.attempts),
            "is_byok": False,
            "endpoints": {"total": len(names), "available": names},
            "attempts": [attempt.as_json() for attempt in self.attempts],
        }


def route(body: Body, market: Market) -> Route | Problem:
    """Find the endpoint for a request: the first that is up, model by model, provider by provider."""
    asked = requested_models(body)
    models = [market.find(DEFAULT_MODEL if slug == AUTO else slug) for slug in asked]
    if problem := _refusal(body, asked, models):
        return problem
    failed: list[Attempt] = []
    reason: Problem | None = None
    for slug, model in zip(asked, models, strict=True):
        assert model is not None
        endpoints = _candidates(slug, model, body, market)
        if isinstance(endpoints, Problem):
            reason = reason or endpoints
            continue
        if found := _first_up(asked, model, endpoints, failed, market):
            return found
    return _all_down(failed) if failed else reason or problems.unknown_model(asked[0])


def requested_models(body: Body) -> list[str]:
    """The models a request names, in the order in which they are tried, without presets."""
    named = [body["model"]] if body.get("model") else []
    slugs = [slug.partition("@preset/")[0] or DEFAULT_MODEL for slug in (*named, *(body.get("models") or ()))]
    return list(dict.fromkeys(slugs)) or [DEFAULT_MODEL]


def _refusal(body: Body, asked: Sequence[str], models: Sequence[Model | None]) -> Problem | None:
    if len(body.get("models") or ()) > _MAX_FALLBACKS:
        return problems.invalid(f"'models' array must have {_MAX_FALLBACKS} items or fewer.")
    return next((problems.unknown_model(s) for s, m in zip(asked, models, strict=True) if m is None), None)


def _first_up(
    asked: Sequence[str], model: Model, endpoints: Sequence[Endpoint], failed: list[Attempt], market: Market
) -> Route | None:
    sellers = tuple(market.providers[endpoint.provider] for endpoint in endpoints)
    for endpoint, provider in zip(endpoints, sellers, strict=True):
        status = market.down.get(provider.slug)
        if status is not None:
            failed.append(Attempt(model, provider, status))
            continue
        attempts = (*failed, Attempt(model, provider))
        return Route(asked[0], _strategy(asked), model, endpoint, provider, attempts, sellers)
    return None


def _strategy(asked: Sequence[str]) -> str:
    if asked[0] == AUTO:
        return "auto"
    return "fallback" if len(asked) > 1 else "direct"


def _all_down(failed: Sequence[Attempt]) -> Problem:
    last = failed[-1]
    kind = "provider_overloaded" if last.status in (503, 529) else "provider_unavailable"
    raw = f"{last.provider.name} is not available"
    problem = problems.upstream(last.status, last.provider.name, raw, error_type=kind)
    return problem.with_metadata(previous_errors=[a.as_error() for a in failed[:-1]]) if failed[1:] else problem


def _candidates(slug: str, model: Model, body: Body, market: Market) -> list[Endpoint] | Problem:
    """A model's endpoints that the request allows, in the order in which they are tried."""
    if body.get("tools") and not model.supports("tools"):
        return problems.no_endpoints("No endpoints found that support tool use", [slug], "no_endpoints")
    preferences: Body = body.get("provider") or {}
    if preferences.get("require_parameters") and _unsupported(model, body):
        message = "No endpoints found that can handle the requested parameters."
        return problems.no_endpoints(message, [slug], "constraint_filtered", ["require_parameters"])
    return _ordered(slug, list(model.endpoints), preferences, market)


def _unsupported(model: Model, body: Body) -> list[str]:
    sent = {"structured_outputs"} if (body.get("response_format") or {}).get("type") == "json_schema" else set()
    sent |= {key for key in body if key not in _NOT_PARAMETERS and body[key] is not None}
    return sorted(parameter for parameter in sent if not model.supports(parameter))


def _ordered(slug: str, endpoints: list[Endpoint], preferences: Body, market: Market) -> list[Endpoint] | Problem:
    allowed = [e for e in endpoints if _is_allowed(market.providers[e.provider], preferences)]
    if not allowed:
        message = "No allowed providers are available for the selected model."
        return problems.no_endpoints(message, [slug], "constraint_filtered", ["allowed_providers"])
    affordable = [e for e in allowed if _is_affordable(e, preferences.get("max_price") or {})]
    if not affordable:
        message = "No endpoints found that match your max price."
        return problems.no_endpoints(message, [slug], "constraint_filtered", ["max_price"])
    return _in_order(slug, _sorted(slug, affordable, preferences, market), preferences, market)


def _is_allowed(provider: Provider, preferences: Body) -> bool:
    only, ignore = preferences.get("only"), preferences.get("ignore") or ()
    return (only is None or _any_calls(only, provider)) and not _any_calls(ignore, provider)


def _any_calls(wanted: Iterable[str], provider: Provider) -> bool:
    return any(provider.is_called(slug) for slug in wanted)


def _is_affordable(endpoint: Endpoint, max_price: Mapping[str, Any]) -> bool:
    """Whether an endpoint keeps to ``max_price``, which is in USD per million tokens."""
    prices = {"prompt": Decimal(endpoint.prompt), "completion": Decimal(endpoint.completion)}
    return all(prices[key] * 1_000_000 <= Decimal(str(max_price[key])) for key in prices if key in max_price)


def _sorted(slug: str, endpoints: list[Endpoint], preferences: Body, market: Market) -> list[Endpoint]:
    """Cheapest first, which is what the real weighting comes to; fast ones first when speed is asked for."""
    sort = preferences.get("sort") or _SORT_BY_VARIANT.get(slug.rpartition(":")[2])
    by = sort.get("by") if isinstance(sort, dict) else sort
    if by in ("throughput", "latency"):
        return sorted(endpoints, key=lambda endpoint: market.slow.get(endpoint.provider, 0))
    return sorted(endpoints, key=lambda endpoint: endpoint.price)


def _in_order(slug: str, endpoints: list[Endpoint], preferences: Body, market: Market) -> list[Endpoint] | Problem:
    """The endpoints that ``order`` names, then the others unless ``allow_fallbacks`` is false."""
    first = [
        endpoint
        for wanted in preferences.get("order") or ()
        for endpoint in endpoints
        if market.providers[endpoint.provider].is_called(wanted)
    ]
    if preferences.get("allow_fallbacks") is not False:
        return list(dict.fromkeys((*first, *endpoints)))
    if first or not preferences.get("order"):
        return list(dict.fromkeys(first)) or endpoints[:1]
    message = "No allowed providers are available for the selected model."
    return problems.no_endpoints(message, [slug], "constraint_filtered", ["allowed_providers"])
