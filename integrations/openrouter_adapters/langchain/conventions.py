"""LangChain's conventions around a chat model, apart from requests and answers. Pure.

Profiles, offline token counts, sums over several prompts, and answers that a cache gave.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.outputs import ChatGeneration

from openrouter_adapters.core import catalog
from openrouter_adapters.core.wire import dict_of, known, money_of

CHARACTERS_PER_TOKEN = 4
"""Of English text, about; the tokenizers behind OpenRouter differ, and none of them is here."""

_COSTS = ("cost", "total_cost")


def profile(slug: str | None) -> ModelProfile | None:
    """What LangChain wants to know about a model; None when the catalogue does not list it. No I/O.

    Args:
        slug: the model, as in a request.
    """
    model = catalog.find(slug) if slug else None
    if model is None:
        return None
    facts = {**_limits(model), **_modalities(model), **_abilities(model)}
    known_here = {key: fact for key, fact in facts.items() if key in ModelProfile.__annotations__}
    return cast("ModelProfile", known_here)


def _limits(model: catalog.Model) -> dict[str, Any]:
    window = model.provider_context_length or model.context_length
    return known(name=model.name, max_input_tokens=window, max_output_tokens=model.max_completion_tokens)


def _modalities(model: catalog.Model) -> dict[str, Any]:
    """PDFs can be given to every model: OpenRouter parses them where the model does not read them itself."""
    reads = {f"{kind}_inputs": model.reads(kind) for kind in ("text", "image", "audio", "video")}
    makes = {f"{kind}_outputs": model.makes(kind) for kind in ("text", "image", "audio", "video")}
    return known(**reads, image_url_inputs=model.reads("image"), pdf_inputs=True, **makes)


def _abilities(model: catalog.Model) -> dict[str, Any]:
    reasoning = model.reasoning or catalog.ReasoningSupport()
    return known(
        tool_calling=model.supports("tools"),
        tool_choice=model.supports("tool_choice"),
        structured_output=model.supports("structured_outputs"),
        temperature=model.supports("temperature"),
        reasoning_output=model.supports("reasoning"),
        reasoning_effort_levels=list(reasoning.supported_efforts) if reasoning.supported_efforts else None,
        reasoning_effort_default=reasoning.default_effort,
    )


def approximate_tokens(text: str) -> int:
    """About how many tokens a text has, without a tokenizer."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


# ------------------------------------------------------------------------------------------------ several prompts


def combined(outputs: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """One ``llm_output`` for several prompts.

    Args:
        outputs: each prompt's own; None where it streamed or came from a cache.

    Returns:
        ``token_usage`` (counts and ``cost`` in USD, summed), ``model_name`` (the first), and ``by_model`` (the same
        sums for each model that answered).
    """
    known_outputs = [output for output in outputs if output]
    models = dict.fromkeys(str(output["model_name"]) for output in known_outputs if output.get("model_name"))
    by_model = {model: _sum_of(known_outputs, model) for model in models}
    total = _sum_of(known_outputs)
    return known(model_name=next(iter(models), None), token_usage=total or None, by_model=by_model or None)


def _sum_of(outputs: Sequence[Mapping[str, Any]], model: str | None = None) -> dict[str, Any]:
    usages = [dict_of(output.get("token_usage")) for output in outputs if model in (None, output.get("model_name"))]
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    given = {name: [usage[name] for usage in usages if isinstance(usage.get(name), int)] for name in counts}
    sums: dict[str, Any] = {name: sum(values) for name, values in given.items() if values}
    costs = [cost for usage in usages if (cost := money_of(usage.get("cost"))) is not None]
    return {**sums, "cost": float(sum(costs, Decimal(0)))} if costs else sums


# ---------------------------------------------------------------------------------------------------------- caches


def of_cache(generation: ChatGeneration) -> ChatGeneration:
    """A generation that a cache gave: it says what it said, but costs nothing. A new object."""
    message = generation.message
    facts = message.response_metadata
    if not any(name in facts for name in _COSTS):
        return generation
    free = _free(facts) | known(token_usage=_free(dict_of(facts.get("token_usage"))) or None)
    return generation.model_copy(update={"message": message.model_copy(update={"response_metadata": free})})


def _free(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: 0.0 if name in _COSTS else fact for name, fact in facts.items() if name != "cost_details"}


def digest(headers: Mapping[str, Any]) -> str:
    """Stands for headers in a cache key, which may be written to a disk; they may hold secrets."""
    text = json.dumps(sorted((name.lower(), value) for name, value in headers.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
