"""Every request option once: typed, with unit, default and link.

What every endpoint takes is in `EndpointOptions`, what chat adds in `OpenRouterOptions`; embeddings and reranking say
theirs beside their requests. The models of both
frameworks inherit these classes, so that an option has one name, one type and one meaning everywhere.

Nothing is sent that was not set. Instance options, the instance's ``extra_body``, the call's options and the call's
``extra_body`` are layered in this order, the later wins; ``provider``, ``reasoning`` and ``extra_body`` merge deeply;
None clears.

The wire's own reference: https://openrouter.ai/docs/api-reference/chat-completion
"""

import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypedDict

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    PrivateAttr,
    SecretStr,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_serializer,
)

from openrouter_adapters.core.arguments import (
    check_clients,
    check_effort,
    check_timeout,
    from_environment,
    is_of_environment,
    key_text,
    known_arguments,
    own_names,
    validated,
    warn_of_unknown_keys,
    without_user,
)

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
DEFAULT_MAX_RETRIES = 2

OF_ENVIRONMENT = ("base_url", "app_url", "app_title", "session_id")
"""Options that the environment can say, beside the key."""

Number = StrictInt | Annotated[StrictFloat, AllowInfNan(False)]  # JSON has no infinity


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


INSIDE_OPTIONS = {
    key: option
    for option, typed in (("reasoning", Reasoning), ("provider", ProviderPreferences))
    for key in typed.__annotations__
}
"""Keys that belong inside an option, and which; people look for them outside."""

if TYPE_CHECKING:  # what editors and type checkers know of these objects
    ProviderOption = ProviderPreferences | dict[str, Any] | None
    ReasoningOption = Reasoning | dict[str, Any] | None
    KeyOption = SecretStr | str | None
else:  # sent as they are, whatever is in them: the API is the authority
    ProviderOption = ReasoningOption = dict[str, Any] | None
    KeyOption = SecretStr | None


_building = threading.RLock()  # building one class may build another


def built(cls: type[BaseModel]) -> None:
    """Build a class's validator, once: several threads may make their first model at the same time."""
    if not cls.__pydantic_complete__:
        with _building:
            cls.model_rebuild()


CALL_ALIASES = {"http_headers": "extra_headers"}
"""What people bring along from other packages for a call only, and what it is called here: headers, so far."""


class EndpointOptions(BaseModel):
    """What a request to any endpoint may say; the names are the wire's. None means: not set, not sent."""

    # Validators are built when the first model object is made: those of all classes on the way are half an import.
    model_config: ClassVar[ConfigDict] = ConfigDict(
        arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=(), defer_build=True
    )

    # Names that people bring along from other packages, and what they are called here.
    option_aliases: ClassVar[Mapping[str, str]] = {}

    # The options of the endpoint, without what a framework adds; each class of options says which.
    option_names: ClassVar[tuple[str, ...]] = ()

    # ---- which model, which provider: https://openrouter.ai/docs/features/model-routing
    model: StrictStr | None = Field(
        default=None, description="Slug `author/name[:variant]`; None: the account's default model."
    )
    provider: ProviderOption = Field(
        default=None,
        description="Provider routing and privacy: order, only, ignore, zdr, max_price (USD per million tokens).",
    )

    # ---- identity, tracing
    session_id: StrictStr | None = Field(
        default=None,
        max_length=256,
        description="Groups requests and routes them alike; up to 256 characters. Env: OPENROUTER_SESSION_ID.",
    )
    user: StrictStr | None = Field(default=None, description="Stable id of the end user.")
    trace: dict[str, Any] | None = Field(default=None, description="trace_id, span_name ... for observability.")

    # ---- beside the body
    router_metadata: StrictBool | None = Field(default=None, description="Ask for `openrouter_metadata` in the answer.")
    extra_body: dict[str, Any] | None = Field(
        default=None, description="Anything else for the body; merged deeply, wins."
    )
    api_key: KeyOption = Field(default=None, description="Env: OPENROUTER_API_KEY.", repr=False, exclude=True)
    base_url: StrictStr | None = Field(
        default=None, description=f"Default {DEFAULT_BASE_URL}. Env: OPENROUTER_BASE_URL or OPENROUTER_API_BASE."
    )
    timeout: Number | None = Field(
        default=None, gt=0, description="Seconds to connect, and between two bytes; None: 600, connect 5."
    )
    stall_timeout: Number | None = Field(
        default=None, gt=0, description="Seconds between two pieces of data; keep-alives do not count. None: no limit."
    )
    max_retries: StrictInt = Field(
        default=DEFAULT_MAX_RETRIES, ge=0, description="At most this many requests more than one."
    )
    app_url: StrictStr | None = Field(default=None, description="Your app, for attribution. Env: OPENROUTER_APP_URL.")
    app_title: StrictStr | None = Field(default=None, description="Your app's name. Env: OPENROUTER_APP_TITLE.")
    app_categories: list[StrictStr] | None = Field(
        default=None, description="Your app's categories, at most 2 per request."
    )
    default_headers: dict[str, str | None] | None = Field(
        default=None,
        description="Headers for every request; they win over ours. None: do not send.",
        repr=False,
        exclude=True,
    )
    http_client: Any = Field(
        default=None, description="A sync client of your own; never closed by us.", repr=False, exclude=True
    )
    http_async_client: Any = Field(
        default=None,
        description='An async client of your own, never closed by us; or "aiohttp" for the SDK\'s aiohttp transport.',
        repr=False,
        exclude=True,
    )

    # The key that this was made with, and whether it was an argument: then it travels with a pickled model.
    _first_key: KeyOption = PrivateAttr(default=None)
    _key_given: bool = PrivateAttr(default=False)

    # What the environment said, beside the key.
    _environment: dict[str, str] = PrivateAttr(default_factory=dict)

    if not TYPE_CHECKING:  # type checkers see the signature that the fields give

        def __init__(self, *args: Any, **given: Any) -> None:
            if args:
                raise TypeError(f"{type(self).__name__} takes arguments by name: write model={args[0]!r}")
            built(type(self))
            named = known_arguments(type(self), self.option_aliases, given, INSIDE_OPTIONS)
            filled = from_environment(named)
            validated(type(self).__name__, partial(super().__init__, **filled))
            check_clients(vars(self))
            check_effort(named)
            check_timeout(self.timeout)
            warn_of_unknown_keys("provider", self.provider, ProviderPreferences.__annotations__)
            self._first_key, self._key_given = self.api_key, not is_of_environment(self.api_key)
            self._environment = {
                name: filled[name] for name in OF_ENVIRONMENT if named.get(name) is None and filled.get(name)
            }

    def of_environment(self) -> set[str]:
        """The options whose value is the environment's. They are not written down: it is asked again."""
        return {name for name, value in self._environment.items() if getattr(self, name) == value}

    def has_key_of_environment(self) -> bool:
        """Whether the key is the environment's: as this was made, or since it was changed."""
        unchanged = key_text(self.api_key) == key_text(self._first_key)
        return not self._key_given if unchanged else is_of_environment(self.api_key)

    @field_serializer(*OF_ENVIRONMENT)
    def _written(self, value: str | None, info: FieldSerializationInfo) -> str | None:
        if value is None or info.field_name in self.of_environment():
            return None
        return without_user(value) if info.field_name == "base_url" else value

    def set_options(self) -> dict[str, Any]:
        """The options that are set, by name."""
        values = vars(self)
        return {name: value for name in self.option_names if (value := values.get(name)) is not None}

    def own_names(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Per-call options under the names that they have here."""
        return own_names({**CALL_ALIASES, **self.option_aliases}, call)


class OpenRouterOptions(EndpointOptions):
    """The options of both chat models."""

    # ---- which model, which provider: https://openrouter.ai/docs/features/model-routing
    models: list[StrictStr] | None = Field(default=None, description="Models to fall back to, in order, after `model`.")
    preset: StrictStr | None = Field(default=None, description="Slug of a preset stored with the account.")
    plugins: list[dict[str, Any]] | None = Field(default=None, description='Plugins, `{"id": ...}` each.')
    service_tier: StrictStr | None = Field(default=None, description="auto, default, flex, priority ...")

    # ---- reasoning: https://openrouter.ai/docs/use-cases/reasoning-tokens
    reasoning: ReasoningOption = Field(
        default=None, description="effort, max_tokens (tokens), exclude, enabled, summary."
    )
    reasoning_effort: StrictStr | None = Field(default=None, description="Sent as `reasoning.effort`.")
    verbosity: StrictStr | None = Field(default=None, description="low, medium, high, xhigh, max.")

    # ---- sampling and length: https://openrouter.ai/docs/api-reference/parameters
    temperature: Number | None = Field(default=None, description="0 to 2.")
    top_p: Number | None = Field(default=None, description="0 to 1.")
    top_k: StrictInt | None = Field(default=None, description="0 or more.")
    min_p: Number | None = Field(default=None, description="0 to 1.")
    top_a: Number | None = Field(default=None, description="0 to 1.")
    max_tokens: StrictInt | None = Field(default=None, description="Most tokens to generate.")
    max_completion_tokens: StrictInt | None = Field(default=None, description="The wire's newer name for `max_tokens`.")
    seed: StrictInt | None = Field(default=None, description="For repeatable sampling, where a provider can.")
    stop: StrictStr | list[StrictStr] | None = Field(default=None, description="Up to 4 texts that end the answer.")
    frequency_penalty: Number | None = Field(default=None, description="-2 to 2.")
    presence_penalty: Number | None = Field(default=None, description="-2 to 2.")
    repetition_penalty: Number | None = Field(default=None, description="0 to 2; 1 is none.")
    logit_bias: dict[StrictStr | StrictInt, Number] | None = Field(
        default=None, description="Token id to bias, -100 to 100."
    )
    logprobs: StrictBool | None = Field(default=None, description="Return log probabilities.")
    top_logprobs: StrictInt | None = Field(default=None, description="0 to 20 alternatives per token.")
    prediction: dict[str, Any] | None = Field(
        default=None, description='Predicted output, `{"type": "content", "content": ...}`.'
    )

    # ---- tools and kinds of output
    parallel_tool_calls: StrictBool | None = Field(
        default=None, description="Whether several tools may be called at once."
    )
    modalities: list[StrictStr] | None = Field(default=None, description="Kinds of output: text, image, audio.")
    image_config: dict[str, Any] | None = Field(
        default=None, description="aspect_ratio, image_size ... of generated images."
    )
    audio: dict[str, Any] | None = Field(
        default=None, description="voice and format of generated audio, which always streams on the wire."
    )
    web_search_options: dict[str, Any] | None = Field(
        default=None, description="Options of models with a search of their own."
    )

    # ---- caching, tracing
    cache_control: dict[str, Any] | None = Field(
        default=None, description='Automatic prompt-cache breakpoint, `{"type": "ephemeral", "ttl": "5m" or "1h"}`.'
    )
    prompt_cache_key: StrictStr | None = Field(default=None, description="Key for sticky routing and caching.")
    request_metadata: dict[str, Any] | None = Field(
        default=None, description="The wire's `metadata`: up to 16 pairs of text."
    )


OPTION_NAMES = OpenRouterOptions.option_names = tuple(OpenRouterOptions.model_fields)
"""The names of all options of chat."""

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

BESIDE_BODY = {*HEADER_OPTIONS, *TRANSPORT_OPTIONS, "extra_body", "reasoning_effort"}
BODY_OPTIONS = {name: RENAMED.get(name, name) for name in OPTION_NAMES if name not in BESIDE_BODY}
"""Options that go into the body, and their key there."""
