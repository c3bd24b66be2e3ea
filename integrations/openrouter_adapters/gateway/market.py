"""Who sells what: the gateway's providers, models and prices.

The table is small and made up of real names, with prices close to the real ones. Prices are decimal strings in
USD per token, as in the wire's ``/models``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

__all__ = ["MODELS", "PROVIDERS", "Endpoint", "Model", "Provider"]


@dataclass(frozen=True)
class Provider:
    """A named seller of models.

    Attributes:
        slug: what requests call it (``provider.order`` and its kin).
        name: what answers call it (``provider``).
    """

    slug: str
    name: str

    def is_called(self, wanted: str) -> bool:
        """Whether a slug in a request means this provider; a base slug means all its regions."""
        wanted = wanted.lower()
        return wanted in (self.slug, self.name.lower()) or self.slug.startswith(wanted + "/")


@dataclass(frozen=True)
class Endpoint:
    """One model at one provider, with its price per token."""

    provider: str
    prompt: str
    completion: str

    @property
    def price(self) -> Decimal:
        """One number to sort by."""
        return Decimal(self.prompt) + Decimal(self.completion)


SAMPLING = ("max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "seed")
OPEN_SAMPLING = (*SAMPLING, "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty")
TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
SCHEMAS = ("response_format", "structured_outputs")
REASONING = ("reasoning", "include_reasoning", "reasoning_effort")
LOGPROBS = ("logprobs", "top_logprobs", "logit_bias")


@dataclass(frozen=True)
class Model:
    """One model and the endpoints that serve it.

    Attributes:
        id: the slug used in requests.
        endpoints: who serves it, at which price.
        canonical_slug: the permanent, often dated slug; the id when not given.
        answers_as: what answers call it; the id when not given.
        name: a display name.
        context_length: the window, in tokens.
        max_completion_tokens: the output limit, in tokens.
        input_modalities: what goes in.
        output_modalities: what comes out.
        supported_parameters: the request fields it heeds.
    """

    id: str
    endpoints: tuple[Endpoint, ...]
    canonical_slug: str = ""
    answers_as: str = ""
    name: str = ""
    context_length: int = 128_000
    max_completion_tokens: int = 16_384
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    supported_parameters: tuple[str, ...] = (*SAMPLING, *TOOLS, *SCHEMAS)

    def __post_init__(self) -> None:
        """Fill in the names that follow from the id."""
        object.__setattr__(self, "canonical_slug", self.canonical_slug or self.id)
        object.__setattr__(self, "answers_as", self.answers_as or self.id)
        object.__setattr__(self, "name", self.name or self.id.partition("/")[2])

    def supports(self, parameter: str) -> bool:
        """Whether a request field is heeded."""
        return parameter in self.supported_parameters


def at(prompt: str, completion: str, *providers: str, dearer: Sequence[str] = ()) -> tuple[Endpoint, ...]:
    """Endpoints at one price per million tokens; the dearer ones cost half as much again."""
    return tuple(_endpoints(Decimal(prompt), Decimal(completion), providers, dearer))


def _endpoints(
    prompt: Decimal, completion: Decimal, providers: Sequence[str], dearer: Sequence[str]
) -> Iterator[Endpoint]:
    for provider in (*providers, *dearer):
        factor = Decimal("1.5") if provider in dearer else Decimal(1)
        yield Endpoint(provider, per_token(prompt * factor), per_token(completion * factor))


def per_token(per_million: Decimal) -> str:
    """USD per million tokens as the wire's decimal string per token."""
    return format((per_million / 1_000_000).normalize(), "f")


PROVIDERS = (
    Provider("anthropic", "Anthropic"),
    Provider("amazon-bedrock", "Amazon Bedrock"),
    Provider("google-vertex", "Google"),
    Provider("google-ai-studio", "Google AI Studio"),
    Provider("openai", "OpenAI"),
    Provider("azure", "Azure"),
    Provider("deepinfra", "DeepInfra"),
    Provider("novita", "Novita"),
    Provider("groq", "Groq"),
    Provider("mistral", "Mistral"),
    Provider("xai", "xAI"),
    Provider("minimax", "Minimax"),
    Provider("cohere", "Cohere"),
)
"""The providers of a gateway that is given none."""

_CLAUDE = Model(
    "anthropic/claude",
    (),
    context_length=200_000,
    max_completion_tokens=64_000,
    input_modalities=("text", "image", "file"),
    supported_parameters=(
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        *TOOLS,
        *SCHEMAS,
        *REASONING,
        "verbosity",
    ),
)
_GPT = Model(
    "openai/gpt",
    (),
    input_modalities=("text", "image", "file"),
    supported_parameters=(*SAMPLING, "frequency_penalty", "presence_penalty", *TOOLS, *SCHEMAS, *LOGPROBS),
)
_GPT_REASONING = replace(
    _GPT,
    context_length=400_000,
    max_completion_tokens=128_000,
    supported_parameters=("max_tokens", "max_completion_tokens", "seed", *TOOLS, *SCHEMAS, *REASONING, "verbosity"),
)
_GEMINI = Model(
    "google/gemini",
    (),
    context_length=1_048_576,
    max_completion_tokens=65_535,
    input_modalities=("text", "image", "file", "audio", "video"),
    supported_parameters=(*SAMPLING, *TOOLS, *SCHEMAS, *REASONING),
)
_OPEN = Model("open/weights", (), supported_parameters=(*OPEN_SAMPLING, *TOOLS, *SCHEMAS, *LOGPROBS))
_OPEN_REASONING = replace(_OPEN, supported_parameters=(*_OPEN.supported_parameters, *REASONING))


def _listed(
    like: Model, id: str, endpoints: tuple[Endpoint, ...], canonical_slug: str = "", dated: bool = False
) -> Model:
    slug = canonical_slug or id
    name = id.partition("/")[2]
    return replace(like, id=id, endpoints=endpoints, canonical_slug=slug, answers_as=slug if dated else id, name=name)


def _claude(id: str, canonical_slug: str, prompt: str, completion: str) -> Model:
    endpoints = at(prompt, completion, "anthropic", "amazon-bedrock", "google-vertex")
    return _listed(_CLAUDE, id, endpoints, canonical_slug, dated=True)


MODELS = (
    _listed(_GPT, "openai/gpt-4o-mini", at("0.15", "0.6", "openai", dearer=["azure"]), "openai/gpt-4o-mini-2024-07-18"),
    _listed(_GPT, "openai/gpt-4o", at("2.5", "10", "openai", dearer=["azure"]), "openai/gpt-4o-2024-11-20"),
    _listed(
        _GPT, "openai/gpt-4.1-mini", at("0.4", "1.6", "openai", dearer=["azure"]), "openai/gpt-4.1-mini-2025-04-14"
    ),
    _listed(_GPT, "openai/gpt-4.1", at("2", "8", "openai", dearer=["azure"]), "openai/gpt-4.1-2025-04-14"),
    _listed(_GPT_REASONING, "openai/gpt-5-mini", at("0.25", "2", "openai", "azure"), "openai/gpt-5-mini-2025-08-07"),
    _listed(
        _GPT_REASONING, "openai/gpt-5.2", at("1.75", "14", "openai", "azure"), "openai/gpt-5.2-20251211", dated=True
    ),
    _listed(_GPT_REASONING, "openai/o4-mini", at("1.1", "4.4", "openai"), "openai/o4-mini-2025-04-16"),
    replace(
        _listed(_GPT, "openai/gpt-4o-audio-preview", at("2.5", "10", "openai")),
        input_modalities=("text", "audio"),
        output_modalities=("text", "audio"),
    ),
    _claude("anthropic/claude-haiku-4.5", "anthropic/claude-4.5-haiku-20251001", "1", "5"),
    _claude("anthropic/claude-sonnet-4", "anthropic/claude-4-sonnet-20250522", "3", "15"),
    _claude("anthropic/claude-sonnet-4.5", "anthropic/claude-4.5-sonnet-20250929", "3", "15"),
    _claude("anthropic/claude-sonnet-4.6", "anthropic/claude-4.6-sonnet-20260217", "3", "15"),
    _listed(_GEMINI, "google/gemini-2.5-flash", at("0.3", "2.5", "google-vertex", "google-ai-studio")),
    _listed(_GEMINI, "google/gemini-2.5-flash-lite", at("0.1", "0.4", "google-vertex", "google-ai-studio")),
    _listed(_GEMINI, "google/gemini-2.5-pro", at("1.25", "10", "google-vertex", "google-ai-studio")),
    replace(
        _listed(_GEMINI, "google/gemini-2.5-flash-image", at("0.3", "2.5", "google-vertex", "google-ai-studio")),
        output_modalities=("image", "text"),
    ),
    _listed(_OPEN, "meta-llama/llama-3.3-70b-instruct", at("0.13", "0.4", "deepinfra", "novita", dearer=["groq"])),
    _listed(_OPEN, "meta-llama/llama-3.3-70b-instruct:free", at("0", "0", "deepinfra")),
    _listed(_OPEN, "mistralai/mistral-small-3.2-24b-instruct", at("0.1", "0.3", "mistral", "deepinfra")),
    _listed(_OPEN, "qwen/qwen3-30b-a3b-instruct-2507", at("0.08", "0.33", "deepinfra", "novita")),
    _listed(
        _OPEN_REASONING,
        "deepseek/deepseek-v3.2",
        at("0.27", "0.41", "deepinfra", "novita"),
        "deepseek/deepseek-v3.2-20251201",
        dated=True,
    ),
    _listed(_OPEN_REASONING, "minimax/minimax-m2", at("0.25", "1", "minimax", "novita")),
    _listed(_OPEN_REASONING, "minimax/minimax-m2:free", at("0", "0", "minimax")),
    _listed(_OPEN_REASONING, "x-ai/grok-4", at("3", "15", "xai")),
    Model("openai/text-embedding-3-small", at("0.02", "0", "openai", "azure"), output_modalities=("embeddings",)),
    Model("openai/text-embedding-3-large", at("0.13", "0", "openai", "azure"), output_modalities=("embeddings",)),
    Model("cohere/rerank-v3.5", at("0", "0", "cohere"), output_modalities=("rerank",)),
)
"""The models of a gateway that is given none."""
