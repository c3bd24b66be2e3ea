"""The bodies of what can be looked up: models, generation, key, credits."""

from collections.abc import Mapping
from datetime import UTC, datetime

from .dialect import Envelope
from .market import Endpoint, Model, Provider
from .reply import Body, Reply
from .routing import Route

__all__ = ["endpoints", "generation", "key", "model_item"]

_TOKENIZERS = {
    "openai": "GPT",
    "anthropic": "Claude",
    "google": "Gemini",
    "meta-llama": "Llama3",
    "mistralai": "Mistral",
}
_NO_DEFAULTS = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "repetition_penalty")


def model_item(model: Model) -> Body:
    """A model as ``/models`` lists it."""
    best = model.endpoints[0]
    thinks = {"reasoning": {"mandatory": False}} if model.supports("reasoning") else {}
    return {
        "id": model.id,
        "canonical_slug": model.canonical_slug,
        "hugging_face_id": "",
        "name": model.name,
        "created": 1_750_000_000,
        "description": f"{model.name}, as the local gateway plays it.",
        "context_length": model.context_length,
        "architecture": architecture(model),
        "pricing": pricing(best),
        "top_provider": {
            "context_length": model.context_length,
            "max_completion_tokens": model.max_completion_tokens,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": sorted(model.supported_parameters),
        "default_parameters": dict.fromkeys(_NO_DEFAULTS),
        "supported_voices": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{model.canonical_slug}/endpoints"},
        **thinks,
    }


def architecture(model: Model) -> Body:
    """What goes into a model and what comes out."""
    return {
        "modality": f"{'+'.join(model.input_modalities)}->{'+'.join(model.output_modalities)}",
        "input_modalities": list(model.input_modalities),
        "output_modalities": list(model.output_modalities),
        "tokenizer": _TOKENIZERS.get(model.id.partition("/")[0], "Other"),
        "instruct_type": None,
    }


def pricing(endpoint: Endpoint) -> Body:
    """An endpoint's prices: decimal strings, USD per token."""
    return {"prompt": endpoint.prompt, "completion": endpoint.completion}


def endpoints(model: Model, providers: Mapping[str, Provider], down: Mapping[str, int]) -> Body:
    """A model with those who serve it."""
    items = [_endpoint_item(model, endpoint, providers, down) for endpoint in model.endpoints]
    item = model_item(model)
    head = {key: item[key] for key in ("id", "name", "created", "description", "architecture")}
    return {"data": {**head, "endpoints": items}}


def _endpoint_item(
    model: Model, endpoint: Endpoint, providers: Mapping[str, Provider], down: Mapping[str, int]
) -> Body:
    provider = providers[endpoint.provider]
    return {
        "name": f"{provider.name} | {model.canonical_slug}",
        "model_id": model.id,
        "model_name": model.name,
        "context_length": model.context_length,
        "pricing": pricing(endpoint),
        "provider_name": provider.name,
        "tag": provider.slug,
        "quantization": "unknown",
        "max_completion_tokens": model.max_completion_tokens,
        "max_prompt_tokens": None,
        "supported_parameters": sorted(model.supported_parameters),
        "status": -1 if provider.slug in down else 0,
        "uptime_last_30m": 0 if provider.slug in down else 100,
        "supports_implicit_caching": False,
    }


def generation(
    envelope: Envelope, reply: Reply, route: Route, *, streamed: bool, api_type: str = "completions"
) -> Body:
    """What ``/generation`` knows about an answer."""
    usage = envelope.usage
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {
        "id": envelope.id,
        "upstream_id": None,
        "created_at": datetime.fromtimestamp(envelope.created, UTC).isoformat(),
        "model": envelope.model,
        "provider_name": envelope.provider,
        "provider_responses": [attempt.as_json() for attempt in route.attempts],
        "api_type": api_type,
        "streamed": streamed,
        "cancelled": False,
        "finish_reason": reply.finish_reason,
        "native_finish_reason": reply.native_finish_reason,
        "latency": 1,
        "generation_time": 1,
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_reasoning": (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
        "native_tokens_cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        "total_cost": usage.get("cost") or 0,
        "usage": usage.get("cost") or 0,
        "upstream_inference_cost": (usage.get("cost_details") or {}).get("upstream_inference_cost"),
        "cache_discount": None,
        "is_byok": bool(usage.get("is_byok")),
    }


def key(spent: float) -> Body:
    """What ``/key`` says of a key without a limit."""
    periods = {f"usage{period}": spent for period in ("", "_daily", "_weekly", "_monthly")}
    return {
        "data": {
            "label": "sk-or-v1-loc...cal",
            "limit": None,
            "limit_remaining": None,
            "limit_reset": None,
            "include_byok_in_limit": False,
            **periods,
            "byok_usage": 0,
            "is_free_tier": False,
            "is_management_key": False,
            "expires_at": None,
        }
    }
