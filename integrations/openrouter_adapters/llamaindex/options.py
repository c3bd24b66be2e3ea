"""`LLMOptions`: the options of the LLM under LlamaIndex's names too, and what LlamaIndex plans with because of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from llama_index.core.base.llms.types import LLMMetadata
from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import checked_call, models_in, request_body
from openrouter_adapters.core.wire import known
from openrouter_adapters.llamaindex.shorthand import ALIASES, AdditionalKwargs, spelled_out

if TYPE_CHECKING:
    from openrouter_adapters.core.catalog import Model

UNKNOWN_WINDOW = 32_768
"""Tokens; the context window of a model that the catalogue does not know.

Nearly every model on OpenRouter has at least this much. A larger guess would have prompts refused by the models that
have not; a much smaller one would make query engines ask many times over, and agents forget.
"""

# The options that say which models are asked, and for how much.
_PLANNED = ("model", "models", "max_tokens", "max_completion_tokens", "extra_body", "additional_kwargs")


class LLMOptions(AdditionalKwargs, OpenRouterOptions):
    """What every call of an LLM may say, and which models are asked with it."""

    option_aliases: ClassVar[Mapping[str, str]] = ALIASES

    context_window: StrictInt | None = Field(
        default=None,
        gt=0,
        description=f"Tokens; None: the catalogue's, or {UNKNOWN_WINDOW} for a model that it does not know.",
    )
    is_chat_model: StrictBool = Field(
        default=True,
        description="False: LlamaIndex prompts with text, through `complete`; the endpoint stays the same.",
    )
    is_function_calling_model: StrictBool | None = Field(
        default=None, description="Whether agents may use tools; None: yes, unless the catalogue says no."
    )
    order: list[StrictStr] | None = Field(default=None, description="Short for `provider={'order': ...}`.")
    allow_fallbacks: StrictBool | None = Field(
        default=None, description="Short for `provider={'allow_fallbacks': ...}`."
    )

    @model_validator(mode="after")
    def _check_short_forms(self) -> Self:
        """Routing decides who reads a prompt, so two words about it that differ are an error."""
        for name in ("order", "allow_fallbacks"):
            short, long = getattr(self, name), (self.provider or {}).get(name)
            if short is not None and long is not None and short != long:
                raise ValueError(f"{name}={short!r} and provider={{{name!r}: {long!r}}} differ: give one of them")
        return self

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans with: from the arguments, then the catalogue, then safe defaults. No I/O.

        ``num_output`` is -1 (unknown) unless ``max_tokens`` is set, to less than the window: a higher limit limits
        nothing, and with so much kept free for the answer nothing could be asked. With fallback models it all describes
        the first.
        """
        from openrouter_adapters.core.catalog import find

        body = self._planned({})
        first = models_in(body)[:1]
        window = self.context_window or _window(find(first[0]) if first else None)
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        return LLMMetadata(
            context_window=window,
            num_output=limit if isinstance(limit, int) and limit < window else -1,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=self.calls_tools(first),
            model_name=first[0] if first else "unknown",
        )

    def asked_models(self, call: Mapping[str, Any]) -> tuple[str, ...]:
        """The models that a call asks for, in order."""
        return models_in(self._planned(call))

    def calls_tools(self, models: tuple[str, ...]) -> bool:
        """Whether models can call functions, as far as anybody knows."""
        if self.is_function_calling_model is not None:
            return self.is_function_calling_model
        return self._all_support(models, "tools") is not False

    def _all_support(self, models: tuple[str, ...], parameter: str) -> bool | None:
        """As `core.catalog.all_support`, which is loaded when a model is planned with."""
        from openrouter_adapters.core.catalog import all_support

        return all_support(models, parameter)

    def _planned(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a call as far as LlamaIndex plans with it."""
        of_call = spelled_out(self.own_names(call)) if call else {}
        said = checked_call({name: of_call[name] for name in _PLANNED if name in of_call}) if of_call else {}
        own = self.layer_under(call)
        return request_body(spelled_out(known(**{name: getattr(own, name) for name in _PLANNED})), said)

    def layer_under(self, call: Mapping[str, Any]) -> Self:
        """The model object whose options a call is laid over: one without ``additional_kwargs`` if that clears them."""
        cleared = "additional_kwargs" in call and call["additional_kwargs"] is None
        return self.sharing(additional_kwargs=None) if cleared else self

    def having(self, call: Mapping[str, Any]) -> Self:
        """A copy that has a call's options as its own, on the same connections.

        Raises:
            ValueError: an option has a value of a wrong type.
        """
        own = self.layer_under(call)
        said = checked_call(spelled_out(self.own_names(call), own.set_options()))
        laid_over = spelled_out({**(own.additional_kwargs or {}), "additional_kwargs": said})
        return own.sharing(additional_kwargs=laid_over)


def _window(listed: Model | None) -> int:
    """What surely fits: the window of the provider that is asked first, which may be smaller than the largest."""
    if listed is None:
        return UNKNOWN_WINDOW
    return listed.provider_context_length or listed.context_length or UNKNOWN_WINDOW
