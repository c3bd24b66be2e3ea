"""Options by the names that people bring along from other LlamaIndex packages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from openrouter_adapters.core.request import merged

SHORT = ("order", "allow_fallbacks", "additional_kwargs")
"""Options that stand for others: two keys of ``provider``, and a dict of anything."""

_OBJECTS = ("provider", "reasoning", "extra_body", "default_headers")


def spelled_out(options: Mapping[str, Any], before: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Options by core's names: what ``order``, ``allow_fallbacks`` and ``additional_kwargs`` say put in its place.

    Args:
        options: the options of an instance or of a call.
        before: those of the instance, for a call: ``provider=None`` beside ``order`` clears each of its keys.
    """
    made = {name: value for name, value in options.items() if name not in SHORT}
    routing = {name: options[name] for name in ("order", "allow_fallbacks") if name in options}
    more = dict(options.get("additional_kwargs") or {})
    if "extra_headers" in more:
        more["default_headers"] = more.pop("extra_headers")
    if routing and "provider" in made and made["provider"] is None:
        made["provider"] = dict.fromkeys(before.get("provider") or ())
    for name, value in [*more.items(), *([("provider", routing)] if routing else ())]:
        other = made.get(name)
        both = name in _OBJECTS and isinstance(other, Mapping) and isinstance(value, Mapping)
        made[name] = _laid_over(other, value) if both else value
    return made


def _laid_over(before: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """Merged deeply; a key that is None stays, since it clears one of the instance's."""
    return {**merged(before, value), **{key: None for key, item in value.items() if item is None}}
