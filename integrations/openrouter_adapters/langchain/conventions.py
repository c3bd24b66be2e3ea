"""LangChain's conventions around a chat model, apart from requests and answers.

Names in traces, keys of caches and answers that a cache gave, copies, profiles, offline token counts, sums over several
prompts.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from typing_extensions import override

from openrouter_adapters import __version__
from openrouter_adapters.core.arguments import without_user
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import headers_of, is_secret
from openrouter_adapters.core.usage import Usage, summed
from openrouter_adapters.core.wire import dict_of, known
from openrouter_adapters.langchain.bindings import ChatBinding, hidden, revealed
from openrouter_adapters.langchain.cancellation import cancellation_told
from openrouter_adapters.langchain.chunks import FROM_CACHE, PROVIDER
from openrouter_adapters.langchain.model import LangChainModel
from openrouter_adapters.langchain.tags import RUN_TAGS, given_tags, tags_to_come, with_tags

if TYPE_CHECKING:
    from openrouter_adapters.core.catalog import Model

CHARACTERS_PER_TOKEN = 4
"""Of English text, about; the tokenizers behind OpenRouter differ, and none of them is here."""

_IN_FORMS = ("tools", "tool_choice", "response_format")
"""Options of a call that come in several forms."""

_COSTS = ("cost", "total_cost")
_COST_PIECES = ("input_cost", "output_cost")


def profile(slug: str | None) -> ModelProfile | None:
    """What LangChain wants to know about a model; None when the catalogue does not list it. No I/O.

    Args:
        slug: the model, as in a request.
    """
    from openrouter_adapters.core import catalog

    model = catalog.find(slug) if slug else None
    if model is None:
        return None
    facts = {**_limits(model), **_modalities(model), **_abilities(model)}
    known_here = {key: fact for key, fact in facts.items() if key in ModelProfile.__annotations__}
    return cast("ModelProfile", known_here)


def _limits(model: Model) -> dict[str, Any]:
    window = model.provider_context_length or model.context_length
    return known(name=model.name, max_input_tokens=window, max_output_tokens=model.max_completion_tokens)


def _modalities(model: Model) -> dict[str, Any]:
    """PDFs can be given to every model: OpenRouter parses them where the model does not read them itself."""
    reads = {f"{kind}_inputs": model.reads(kind) for kind in ("text", "image", "audio", "video")}
    makes = {f"{kind}_outputs": model.makes(kind) for kind in ("text", "image", "audio", "video")}
    return known(**reads, image_url_inputs=model.reads("image"), pdf_inputs=True, **makes)


def _abilities(model: Model) -> dict[str, Any]:
    reasoning = model.reasoning
    return known(
        tool_calling=model.supports("tools"),
        tool_choice=model.supports("tool_choice"),
        structured_output=model.supports("structured_outputs"),
        temperature=model.supports("temperature"),
        reasoning_output=model.supports("reasoning"),
        reasoning_effort_levels=list(reasoning.supported_efforts)
        if reasoning and reasoning.supported_efforts
        else None,
        reasoning_effort_default=reasoning.default_effort if reasoning else None,
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
    told = [(output.get("model_name"), Usage.from_wire(output.get("token_usage"))) for output in outputs if output]
    models = dict.fromkeys(model for model, _ in told if model)
    by_model = {model: _sum_of(usage for other, usage in told if other == model) for model in models}
    total = _sum_of(usage for _, usage in told)
    return known(model_name=next(iter(models), None), token_usage=total or None, by_model=by_model or None)


def _sum_of(usages: Iterable[Usage | None]) -> dict[str, Any]:
    total = summed(usages) or Usage()
    return known(
        prompt_tokens=total.prompt_tokens,
        completion_tokens=total.completion_tokens,
        total_tokens=total.total_tokens,
        cost=total.metadata().get("cost"),
    )


# ---------------------------------------------------------------------------------------------------------- caches


def of_cache(generation: ChatGeneration) -> ChatGeneration:
    """A generation that a cache gave: it says what it said, and that it is one (``from_cache``), but costs nothing."""
    message = generation.message
    facts, usage = message.response_metadata, dict_of(getattr(message, "usage_metadata", None))
    told = known(token_usage=_free(dict_of(facts.get("token_usage"))) or None)
    update: dict[str, Any] = {"response_metadata": {**_free(facts), **told, FROM_CACHE: True}}
    if any(name in usage for name in _COST_PIECES):  # core's own zero is the total's
        update["usage_metadata"] = {**usage, **{name: 0 for name in _COST_PIECES if name in usage}}
    return generation.model_copy(update={"message": message.model_copy(update=update)})


def _free(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: 0.0 if name in _COSTS else fact for name, fact in facts.items() if name != "cost_details"}


def digest(headers: Mapping[str, Any]) -> str:
    """Stands for headers in a cache key, which may be written to a disk; they may hold secrets."""
    text = json.dumps(sorted((name.lower(), value) for name, value in headers.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ----------------------------------------------------------------------------------------------------------- model


def _shown(options: Mapping[str, Any]) -> dict[str, Any]:
    """What traces may show: no secrets, and no objects that are none of their business."""
    shown = {name: value for name, value in options.items() if not is_secret(name) and name != RUN_TAGS}
    if "base_url" in shown:
        address = shown.pop("base_url")  # what is no text will be refused
        shown |= known(base_url=without_user(address) if isinstance(address, str) else None)
    return shown


def _with_stop(stop: list[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options and the stops that LangChain says; it knows no other name for them, but options have one."""
    return {**options, "stop": options.get("stop") if stop is None else stop}


class ConventionalChatModel(LangChainModel, OpenRouterOptions, BaseChatModel):
    """What LangChain asks of a chat model beside its answers."""

    @override
    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        BaseChatModel.model_post_init(self, context)  # pydantic's own, for private attributes, stands before core's
        self._add_version("openrouter-adapters", __version__)

    @property
    @override
    def _llm_type(self) -> str:
        return "openrouter-chat"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return _shown(self.set_options())

    @override
    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        return super()._get_invocation_params(**_with_stop(stop, _shown(self.own_names(kwargs))))

    def wire_call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Options of a call under the wire's names and in its forms: see `langchain.tools.wire_forms`."""
        own = self.own_names(call)
        if own.keys().isdisjoint(_IN_FORMS):
            return own
        from openrouter_adapters.langchain.tools import wire_forms  # loads LangChain's tools

        return wire_forms(own)

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The key of a cache. Headers are in it as a digest: they may change the answer, and may be secret."""
        call = self.wire_call(kwargs)  # tools and schemas by what is in them, not by their names
        given = {name: headers_of(name, call.get(name)) for name in ("default_headers", "extra_headers")}
        own = {} if "default_headers" in call and call["default_headers"] is None else self.default_headers or {}
        headers = {name: value for layer in (own, *given.values()) for name, value in layer.items()}
        hidden = {"headers": digest(headers)} if headers else {}
        if "base_url" in self.of_environment():  # not written down, but another gateway's answers are others
            hidden["base_url"] = without_user(self.base_url or "")
        vars(self).pop("_serialized", None)  # core keeps it, but options can be changed in place
        return super()._get_llm_string(**_with_stop(stop, {**_shown(call), **hidden}))

    @override
    def own_names(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Per-call options under the names that they have here; what `bind` hid is to be seen again."""
        return revealed(super().own_names(call))

    @override
    def bind(self, **kwargs: Any) -> ChatBinding:
        """This model with options for every call. Secrets among them are hidden: bindings show what is bound."""
        return ChatBinding(bound=self, kwargs=hidden(kwargs), config={})

    @override
    def with_config(
        self, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with a config for every call; what is bound to that is hidden too."""
        return self.bind().with_config(config, **kwargs)

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        vars(self).pop("_serialized", None)  # what traces show of this model, as it was

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other options; what was derived from the old ones is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("_serialized", None)
        if copied.model != self.model and "profile" not in (update or {}):
            copied.profile = profile(copied.model)
        return copied

    # Core tells a stream nothing of its run: the tags, by which its cost is summed, come as a keyword.

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        return super().stream(input, config, stop=stop, **with_tags(kwargs, tags_to_come(config, self.tags)))

    @override
    def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        return super().astream(input, config, stop=stop, **with_tags(kwargs, tags_to_come(config, self.tags)))

    @override
    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = with_tags(kwargs, given_tags(run_manager.tags if run_manager else ()))
        return super()._generate_with_cache(messages, stop, run_manager, **call)

    @override
    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        call = with_tags(kwargs, given_tags(run_manager.tags if run_manager else ()))
        with cancellation_told(run_manager):
            return await super()._agenerate_with_cache(messages, stop, run_manager, **call)

    @override
    def _convert_cached_generations(self, cache_val: list[Any]) -> list[ChatGeneration]:
        return [of_cache(generation) for generation in super()._convert_cached_generations(cache_val)]

    @override
    def _combine_llm_outputs(self, outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        return combined(outputs)

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile(self.model)

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """The ids of a text's tokens, by ``custom_get_token_ids``.

        Raises:
            NotImplementedError: there is no such function; OpenRouter has no tokenizer that could be asked.
        """
        if self.custom_get_token_ids is None:
            said = "OpenRouter's models have many tokenizers: pass custom_get_token_ids=, or use get_num_tokens"
            raise NotImplementedError(said)
        return self.custom_get_token_ids(text)

    @override
    def get_num_tokens(self, text: str) -> int:
        """How many tokens a text has: exactly by ``custom_get_token_ids``, else about (4 characters each), offline."""
        return approximate_tokens(text) if self.custom_get_token_ids is None else len(self.get_token_ids(text))

    @override
    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """How many tokens messages and tools have, as `get_num_tokens`; an image counts as 85."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(messages, tools)
        made = self.wire_call({"tools": tools}).get("tools") if tools else None
        return count_tokens_approximately(messages, tools=made)

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        own = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop=stop or own, **kwargs)
        models = kwargs.get("models", self.models)
        if "ls_model_name" not in params and models:
            params["ls_model_name"] = str(models[0])
        params["ls_provider"] = PROVIDER  # equal to the answers' model_provider: middleware compares them
        limit = kwargs.get("max_completion_tokens", self.max_completion_tokens)
        if "ls_max_tokens" not in params and isinstance(limit, int):
            params["ls_max_tokens"] = limit
        return params

    @override
    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """What `dumps` writes: the options, without what came from the environment, and without a password."""
        made = super().to_json()
        if made["type"] == "constructor":
            of_environment = self.of_environment()
            kwargs = {name: value for name, value in made["kwargs"].items() if name not in of_environment}
            address = {"base_url": without_user(kwargs["base_url"])} if "base_url" in kwargs else {}
            made["kwargs"] = {**kwargs, **address}
        return made

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "OPENROUTER_API_KEY"}

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        return True

    @classmethod
    @override
    def get_lc_namespace(cls) -> list[str]:
        return ["openrouter_adapters", "langchain"]
