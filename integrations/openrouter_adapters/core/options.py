"""Every request option once: typed, with unit, default and link; and the way from options to a request.

Both chat models inherit `OpenRouterOptions`, so that an option has one name, one type and one meaning in both.
Nothing is sent that was not set. Instance options, the instance's ``extra_body``, the call's options and the call's
``extra_body`` are layered in this order, the later wins; ``provider``, ``reasoning`` and ``extra_body`` merge deeply;
None clears.

The wire's own reference: https://openrouter.ai/docs/api-reference/chat-completion
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypedDict

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
DEFAULT_MAX_RETRIES = 2

Number = StrictInt | StrictFloat


class MaxPrice(TypedDict, total=False):
    """Ceilings for routing. ``prompt`` and ``completion`` in USD per million tokens, the others in USD per unit."""

    prompt: float | str
    completion: float | str
    image: float | str
    audio: float | str
    request: float | str


class ProviderPreferences(TypedDict, total=False):
    """Which upstream providers may answer, and in what order.

    Any other key is sent as it is, with a warning. https://openrouter.ai/docs/features/provider-routing
    """

    order: list[str]
    only: list[str]
    ignore: list[str]
    allow_fallbacks: bool
    require_parameters: bool
    data_collection: Literal["allow", "deny"]
    zdr: bool
    enforce_distillable_text: bool
    quantizations: list[str]
    sort: str | dict[str, Any]
    max_price: MaxPrice
    preferred_max_latency: float | dict[str, float]
    preferred_min_throughput: float | dict[str, float]
    options: dict[str, dict[str, Any]]


class Reasoning(TypedDict, total=False):
    """How a model reasons. ``effort`` and ``max_tokens`` (tokens) exclude each other on the wire.

    https://openrouter.ai/docs/use-cases/reasoning-tokens
    """

    effort: Literal["max", "xhigh", "high", "medium", "low", "minimal", "none"] | None
    max_tokens: int
    exclude: bool
    enabled: bool
    summary: Literal["auto", "concise", "detailed"]
    context: Literal["auto", "all_turns", "current_turn"]
    mode: Literal["standard", "pro"]


if TYPE_CHECKING:  # what editors and type checkers know of these objects
    ProviderOption = ProviderPreferences | dict[str, Any] | None
    ReasoningOption = Reasoning | dict[str, Any] | None
else:  # sent as they are, whatever is in them: the API is the authority
    ProviderOption = ReasoningOption = dict[str, Any] | None


class OpenRouterOptions(BaseModel):
    """The options of both chat models; the names are the wire's. None means: not set, not sent."""

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    # Names that people bring along from other packages, and what they are called here.
    option_aliases: ClassVar[Mapping[str, str]] = {}

    # ---- which model, which provider: https://openrouter.ai/docs/features/model-routing
    model: StrictStr | None = Field(
        None, description="Slug `author/name[:variant]`; None: the account's default model."
    )
    models: list[StrictStr] | None = Field(None, description="Models to fall back to, in order, after `model`.")
    provider: ProviderOption = Field(
        None, description="Provider routing and privacy: order, only, ignore, zdr, max_price (USD per million tokens)."
    )
    preset: StrictStr | None = Field(None, description="Slug of a preset stored with the account.")
    plugins: list[dict[str, Any]] | None = Field(None, description='Plugins, `{"id": ...}` each.')
    service_tier: StrictStr | None = Field(None, description="auto, default, flex, priority ...")

    # ---- reasoning: https://openrouter.ai/docs/use-cases/reasoning-tokens
    reasoning: ReasoningOption = Field(None, description="effort, max_tokens (tokens), exclude, enabled, summary.")
    reasoning_effort: StrictStr | None = Field(None, description="Sent as `reasoning.effort`.")
    verbosity: StrictStr | None = Field(None, description="low, medium, high, xhigh, max.")

    # ---- sampling and length: https://openrouter.ai/docs/api-reference/parameters
    temperature: Number | None = Field(None, description="0 to 2.")
    top_p: Number | None = Field(None, description="0 to 1.")
    top_k: StrictInt | None = Field(None, description="0 or more.")
    min_p: Number | None = Field(None, description="0 to 1.")
    top_a: Number | None = Field(None, description="0 to 1.")
    max_tokens: StrictInt | None = Field(None, description="Most tokens to generate.")
    max_completion_tokens: StrictInt | None = Field(None, description="The wire's newer name for `max_tokens`.")
    seed: StrictInt | None = Field(None, description="For repeatable sampling, where a provider can.")
    stop: StrictStr | list[StrictStr] | None = Field(None, description="Up to 4 texts that end the answer.")
    frequency_penalty: Number | None = Field(None, description="-2 to 2.")
    presence_penalty: Number | None = Field(None, description="-2 to 2.")
    repetition_penalty: Number | None = Field(None, description="0 to 2; 1 is none.")
    logit_bias: dict[str, Number] | None = Field(None, description="Token id to bias, -100 to 100.")
    logprobs: StrictBool | None = Field(None, description="Return log probabilities.")
    top_logprobs: StrictInt | None = Field(None, description="0 to 20 alternatives per token.")
    prediction: dict[str, Any] | None = Field(
        None, description='Predicted output, `{"type": "content", "content": ...}`.'
    )

    # ---- tools and kinds of output
    parallel_tool_calls: StrictBool | None = Field(None, description="Whether several tools may be called at once.")
    modalities: list[StrictStr] | None = Field(None, description="Kinds of output: text, image, audio.")
    image_config: dict[str, Any] | None = Field(None, description="aspect_ratio, image_size ... of generated images.")
    audio: dict[str, Any] | None = Field(None, description="voice and format of generated audio (streaming only).")
    web_search_options: dict[str, Any] | None = Field(None, description="Options of models with a search of their own.")

    # ---- caching, identity, tracing
    cache_control: dict[str, Any] | None = Field(
        None, description='Automatic prompt-cache breakpoint, `{"type": "ephemeral", "ttl": "5m" or "1h"}`.'
    )
    prompt_cache_key: StrictStr | None = Field(None, description="Key for sticky routing and caching.")
    session_id: StrictStr | None = Field(
        None, description="Groups requests and routes them alike; up to 256 characters. Env: OPENROUTER_SESSION_ID."
    )
    user: StrictStr | None = Field(None, description="Stable id of the end user.")
    trace: dict[str, Any] | None = Field(None, description="trace_id, span_name ... for observability.")
    request_metadata: dict[str, Any] | None = Field(None, description="The wire's `metadata`: up to 16 pairs of text.")

    # ---- beside the body
    router_metadata: StrictBool | None = Field(None, description="Ask for `openrouter_metadata` in the answer.")
    extra_body: dict[str, Any] | None = Field(None, description="Anything else for the body; merged deeply, wins.")
    api_key: SecretStr | None = Field(None, description="Env: OPENROUTER_API_KEY.", repr=False, exclude=True)
    base_url: StrictStr | None = Field(
        None, description=f"Default {DEFAULT_BASE_URL}. Env: OPENROUTER_BASE_URL or OPENROUTER_API_BASE."
    )
    timeout: Number | None = Field(None, description="Seconds to connect, and between two bytes; None: 600, connect 5.")
    stall_timeout: Number | None = Field(
        None, description="Seconds between two pieces of data; keep-alives do not count. None: no limit."
    )
    max_retries: StrictInt = Field(DEFAULT_MAX_RETRIES, ge=0, description="At most this many requests more than one.")
    app_url: StrictStr | None = Field(None, description="Your app, for attribution. Env: OPENROUTER_APP_URL.")
    app_title: StrictStr | None = Field(None, description="Your app's name. Env: OPENROUTER_APP_TITLE.")
    app_categories: list[StrictStr] | None = Field(None, description="Your app's categories, at most 2 per request.")
    default_headers: dict[str, str | None] | None = Field(
        None, description="Headers for every request; they win over ours. None: do not send.", repr=False, exclude=True
    )
    http_client: Any = Field(
        None, description="A sync client of your own; never closed by us.", repr=False, exclude=True
    )
    http_async_client: Any = Field(
        None,
        description='An async client of your own, never closed by us; or "aiohttp" for the SDK\'s aiohttp transport.',
        repr=False,
        exclude=True,
    )

    # A key that was given travels with a pickled model; one from the environment is read again there.
    _key_given: bool = PrivateAttr(default=False)

    if not TYPE_CHECKING:  # type checkers see the signature that the fields give

        def __init__(self, **given: Any) -> None:
            options = from_environment(known_arguments(type(self), given))
            super().__init__(**options)
            check_effort(given)
            warn_of_unknown_preferences(self.provider)
            self._key_given = _renamed(type(self), given).get("api_key") is not None

    def set_options(self) -> dict[str, Any]:
        """The options that are set, by name."""
        return {name: value for name in OPTION_NAMES if (value := getattr(self, name)) is not None}


OPTION_NAMES = tuple(OpenRouterOptions.model_fields)
"""The names of all options, in the order of their declaration."""

HEADER_OPTIONS = {
    "app_url": "HTTP-Referer",
    "app_title": "X-OpenRouter-Title",
    "app_categories": "X-OpenRouter-Categories",
    "router_metadata": "X-OpenRouter-Metadata",
}
"""Options that go out as a header. https://openrouter.ai/docs/app-attribution"""

TRANSPORT_OPTIONS = (
    "api_key",
    "base_url",
    "timeout",
    "stall_timeout",
    "max_retries",
    "default_headers",
    "http_client",
    "http_async_client",
)
"""Options that say how a request is sent, not what it says."""

RENAMED = {"request_metadata": "metadata"}
"""Options whose name on the wire is another; `metadata` means something else in both frameworks."""

_BESIDE_BODY = {*HEADER_OPTIONS, *TRANSPORT_OPTIONS, "extra_body", "reasoning_effort"}
BODY_OPTIONS = {name: RENAMED.get(name, name) for name in OPTION_NAMES if name not in _BESIDE_BODY}
"""Options that go into the body, and their key there."""

_DEEP = {"provider", "reasoning"}
_ENVIRONMENT = {
    "api_key": ("OPENROUTER_API_KEY",),
    "base_url": ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"),
    "app_url": ("OPENROUTER_APP_URL",),
    "app_title": ("OPENROUTER_APP_TITLE",),
    "session_id": ("OPENROUTER_SESSION_ID",),
}


# -------------------------------------------------------------------------------------------------- bad input


def known_arguments(cls: type[OpenRouterOptions], given: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments under their own names.

    Raises:
        TypeError: an argument that nobody knows, or one given under two names.
    """
    names = {name for key, field_ in cls.model_fields.items() for name in (key, field_.alias) if name}
    for name in given:
        if name not in names and name not in cls.option_aliases:
            raise TypeError(unknown_argument(cls.__name__, name, [*names, *cls.option_aliases]))
    return _renamed(cls, given)


def _renamed(cls: type[OpenRouterOptions], given: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in given.items():
        own = cls.option_aliases.get(name, name)
        if own in made:
            raise TypeError(f"{cls.__name__}: {name!r} and {own!r} are the same argument: give one of them")
        made[own] = value
    return made


def unknown_argument(place: str, name: str, names: Iterable[str]) -> str:
    """What to say of an argument that nobody knows."""
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.6)
    meant = f"did you mean {near[0]!r}?" if near else "for a new wire field use extra_body={...}."
    return f"{place} got an unknown argument {name!r}: {meant}"


def from_environment(options: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the environment says; the key must be known afterwards.

    Raises:
        ValueError: no key, or an empty one.
    """
    filled = dict(options)
    for name, variables in _ENVIRONMENT.items():
        if filled.get(name) is None:
            value = next((os.environ[v] for v in variables if os.environ.get(v)), None)
            if value is not None:
                filled[name] = value
    filled["api_key"] = checked_key(filled.get("api_key"))
    return filled


def checked_key(key: Any) -> SecretStr:
    """An API key that can be sent.

    Raises:
        TypeError: it is neither text nor a SecretStr. The value is not shown.
        ValueError: it is missing or empty.
    """
    if key is not None and not isinstance(key, str | SecretStr):
        raise TypeError(f"api_key must be a str or a SecretStr, not {type(key).__name__}")
    text = key.get_secret_value() if isinstance(key, SecretStr) else key
    if not text or not text.strip():
        state = "missing" if text is None else "empty"
        raise ValueError(
            f"api_key is {state}: pass api_key=... or set OPENROUTER_API_KEY "
            "(keys: https://openrouter.ai/settings/keys)"
        )
    return SecretStr(text)


def check_effort(options: Mapping[str, Any]) -> None:
    """Refuse two different efforts.

    Raises:
        ValueError: ``reasoning_effort`` and ``reasoning["effort"]`` are both given, and different.
    """
    short, reasoning = options.get("reasoning_effort"), options.get("reasoning")
    long = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    if short is not None and long is not None and short != long:
        raise ValueError(f"reasoning_effort={short!r} and reasoning['effort']={long!r} differ: give one of them")


def warn_of_unknown_preferences(provider: Mapping[str, Any] | None) -> None:
    """One warning for keys of ``provider`` that are not documented; they are sent all the same."""
    strange = [key for key in provider or () if key not in ProviderPreferences.__annotations__]
    if strange:
        near = [difflib.get_close_matches(str(key), ProviderPreferences.__annotations__, n=1) for key in strange]
        hints = [f"{key!r}" + (f" (did you mean {n[0]!r}?)" if n else "") for key, n in zip(strange, near, strict=True)]
        warnings.warn(f"provider: unknown key {', '.join(hints)} is sent as it is", UserWarning, stacklevel=3)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    info = OpenRouterOptions.model_fields[name]
    kind: Any = Annotated[info.annotation, name, *info.metadata]
    return TypeAdapter(kind)


def checked_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Per-call options, their types checked; an unknown name is left alone and goes into the body.

    Raises:
        ValueError: a known option has a value of a wrong type, or two efforts differ.
    """
    made = dict(call)
    for name, value in call.items():
        if value is not None and name in OpenRouterOptions.model_fields and name not in ("http_client", "api_key"):
            try:
                made[name] = _adapter(name).validate_python(value)
            except ValidationError as error:
                raise ValueError(f"{name}={value!r}: {error.errors()[0]['msg']}") from None
    check_effort(call)
    if "provider" in call:
        warn_of_unknown_preferences(call["provider"])
    return made


# ------------------------------------------------------------------------------------------ options -> request


_NO_KEY = SecretStr("")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent.

    Attributes:
        body: the JSON body.
        headers: headers of this request, without the key; None removes one.
        api_key: the key.
        base_url: where to, without a slash at the end.
        timeout: seconds to connect and between two bytes; None: the SDK's default.
        stall_timeout: seconds between two pieces of data; None: no limit.
        max_retries: at most this many requests more than one.
        http_client: a sync client of the caller's, or None.
        http_async_client: an async client of the caller's, "aiohttp", or None.
        path: the endpoint.
    """

    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    api_key: SecretStr = _NO_KEY
    base_url: str = DEFAULT_BASE_URL
    timeout: float | None = None
    stall_timeout: float | None = None
    max_retries: int = DEFAULT_MAX_RETRIES
    http_client: Any = None
    http_async_client: Any = None
    path: str = "/chat/completions"

    @property
    def asked(self) -> tuple[str, ...]:
        """The models asked for in order: ``model``, then ``models``."""
        first, rest = self.body.get("model"), self.body.get("models")
        named = [first, *(rest if isinstance(rest, list) else ())]
        return tuple(name for name in named if isinstance(name, str))


def build_request(
    options: OpenRouterOptions, call: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> Request:
    """Layer the call's options over the instance's.

    Args:
        options: the model object.
        call: per-call options by name; unknown names go into the body as they are; None clears.
        messages: the wire's messages.

    Raises:
        ValueError: no message, or a known option of a wrong type.
    """
    if not messages:
        raise ValueError("messages is empty: give at least one message")
    override = checked_call(call)
    instance = options.set_options()
    own_headers = merged(instance.get("default_headers"), override.pop("default_headers", {}))
    extra_headers = override.pop("extra_headers", None)  # the openai SDK's word for headers of one call
    transport = {**instance, **{name: override[name] for name in TRANSPORT_OPTIONS if name in override}}
    headers = {**header_options(instance, override), **own_headers, **(extra_headers or {})}
    return Request(
        body={**request_body(instance, override), "messages": list(messages)},
        headers=distinct_headers(headers),
        api_key=checked_key(transport.get("api_key")),
        base_url=(transport.get("base_url") or DEFAULT_BASE_URL).rstrip("/"),
        timeout=transport.get("timeout"),
        stall_timeout=transport.get("stall_timeout"),
        max_retries=DEFAULT_MAX_RETRIES if transport.get("max_retries") is None else transport["max_retries"],
        http_client=transport.get("http_client"),
        http_async_client=transport.get("http_async_client"),
    )


def request_body(instance: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """The body that instance and call options ask for, without messages; fresh objects, nothing mutated."""
    body: dict[str, Any] = {}
    for layer in (instance, call):
        for key, value in _wire_layer(layer).items():
            _put(body, key, value, deep=key in _DEEP)
        for key, value in (layer.get("extra_body") or {}).items():
            _put(body, key, value, deep=True)
    return body


def _wire_layer(options: Mapping[str, Any]) -> dict[str, Any]:
    layer = {BODY_OPTIONS.get(name, name): value for name, value in options.items() if name not in _BESIDE_BODY}
    if "reasoning_effort" in options:
        layer["reasoning"] = {**(layer.get("reasoning") or {}), "effort": options["reasoning_effort"]}
    return layer


def _put(body: dict[str, Any], key: str, value: Any, *, deep: bool) -> None:
    if value is None:
        body.pop(key, None)
    elif deep and isinstance(value, Mapping):
        body[key] = merged(body.get(key), value)
        if value and not body[key]:  # everything in it was cleared
            del body[key]
    else:
        body[key] = value


def merged(base: Any, over: Mapping[str, Any] | None) -> dict[str, Any]:
    """A fresh dict: ``over`` laid over ``base``, objects deeply; None drops a key."""
    made = dict(base) if isinstance(base, Mapping) else {}
    for key, value in (over or {}).items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value) if isinstance(value, Mapping) else value
    return made


def header_options(instance: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """The headers that options ask for."""
    options = {**instance, **call}
    return {header: _header_value(options.get(name)) for name, header in HEADER_OPTIONS.items()}


def _header_value(value: Any) -> str | None:
    if isinstance(value, bool):
        return "enabled" if value else "disabled"
    return ",".join(value) if isinstance(value, list) else value


def distinct_headers(headers: Mapping[str, str | None]) -> dict[str, str]:
    """Each header once, whatever its case: the later wins, None takes it away."""
    made: dict[str, tuple[str, str | None]] = {}
    for name, value in headers.items():
        made[name.lower()] = (name, value)
    return {name: value for name, value in made.values() if value is not None}
