"""Options by the names that people bring along from other LlamaIndex packages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_serializer, field_validator, model_validator
from typing_extensions import override

from openrouter_adapters.core.request import checked_call, headers_of, merged
from openrouter_adapters.core.wire import known
from openrouter_adapters.llamaindex.model import LlamaIndexModel
from openrouter_adapters.llamaindex.secrets import is_secret, revealed

SHORT = ("order", "allow_fallbacks", "additional_kwargs")
"""Options that stand for others: two keys of ``provider``, and a dict of anything."""

ALIASES = {**LlamaIndexModel.option_aliases, "audio_config": "audio"}
"""Names of options in LlamaIndex's packages for OpenAI, and what they are called here."""

_SOME = ("tools", "stop")  # an empty list, which the API refuses, says the same as none
_OBJECTS = ("provider", "reasoning", "extra_body", "default_headers")


class AdditionalKwargs(LlamaIndexModel):
    """``additional_kwargs``, as LlamaIndex's packages for OpenAI have it."""

    additional_kwargs: dict[str, Any] | None = Field(
        default=None,
        description="More options for every call, under the wire's names; they win over the other arguments.",
        repr=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _hide_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        return in_the_open(options)

    @field_validator("additional_kwargs")
    @classmethod
    def _check_additional_kwargs(cls, options: dict[str, Any] | None) -> dict[str, Any] | None:
        checked_call(options or {}, cls)
        return options

    @field_serializer("additional_kwargs")
    def _without_secrets(self, options: dict[str, Any] | None) -> dict[str, Any] | None:
        return options and {name: value for name, value in options.items() if not is_secret(name, value)}

    @override
    def set_options(self) -> dict[str, Any]:
        """The options that are set, by the names that core knows."""
        short = {name: getattr(self, name, None) for name in SHORT}
        return spelled_out({**super().set_options(), **known(**short)})


def spelled_out(options: Mapping[str, Any], before: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Options by core's names: what ``order``, ``allow_fallbacks`` and ``additional_kwargs`` say put in its place.

    Args:
        options: the options of an instance or of a call; what is hidden of them comes to light.
        before: those of the instance, for a call: ``provider=None`` beside ``order`` clears each of its keys.
    """
    options = in_the_open(revealed(options))
    made = {name: value for name, value in options.items() if name not in SHORT}
    routing = {name: options[name] for name in ("order", "allow_fallbacks") if name in options}
    more = dict(options.get("additional_kwargs") or {})
    if routing and "provider" in made and made["provider"] is None:
        made["provider"] = dict.fromkeys(before.get("provider") or ())
    for name, value in [*more.items(), *([("provider", routing)] if routing else ())]:
        other = made.get(name)
        both = name in _OBJECTS and isinstance(other, Mapping) and isinstance(value, Mapping)
        made[name] = _laid_over(other, value) if both else value
    return {name: None if name in _SOME and value == [] else value for name, value in made.items()}


def in_the_open(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without secrets in ``additional_kwargs``, which is shown: they become options of their own."""
    more = options.get("additional_kwargs")
    secret = (
        {name: value for name, value in more.items() if is_secret(name, value)} if isinstance(more, Mapping) else {}
    )
    if not (secret and isinstance(more, Mapping)):
        return dict(options)
    shown = {name: value for name, value in more.items() if name not in secret}
    layers = [headers_of(name, secret.pop(name, None)) for name in ("default_headers", "extra_headers")]
    headers = {name: value for layer in layers for name, value in layer.items()}
    before = headers_of("default_headers", options.get("default_headers")) if headers else {}
    own = {"default_headers": {**before, **headers}} if headers else {}
    named = {ALIASES.get(name, name): value for name, value in secret.items()}
    return {**options, "additional_kwargs": shown, **named, **own}


def _laid_over(before: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """Merged deeply; a key that is None stays, since it clears one of the instance's."""
    return {**merged(before, value), **{key: None for key, item in value.items() if item is None}}
