"""What a request may look like. Other keys may hold anything."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from .problems import Problem, invalid

__all__ = ["CHAT", "DETAILS", "EMBEDDINGS", "RERANK", "FaultDetails", "misfit", "refuse"]

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)] | None
Limit: TypeAlias = Annotated[int, Field(ge=1)] | None
Penalty: TypeAlias = Annotated[float, Field(ge=-2, le=2)] | None
Price: TypeAlias = Annotated[float, Field(ge=0)] | Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]
Effort: TypeAlias = Literal["max", "xhigh", "high", "medium", "low", "minimal", "none"] | None


def _named(tagged: Any) -> Any:
    """What is of a kind has what makes it of that kind: an image_url its `image_url`."""
    kind = tagged["type"]
    if kind in _KINDS and tagged.get(kind) is None:
        raise ValueError(f"{kind} is missing")
    return tagged


_KINDS = {"text", "image_url", "input_audio", "file", "video_url", "function"}


class _Part(TypedDict, total=False):
    type: Required[str]
    text: str | None
    image_url: dict[str, Any] | None
    input_audio: dict[str, Any] | None
    file: dict[str, Any] | None
    video_url: dict[str, Any] | None


class _Function(TypedDict, total=False):
    name: Required[str]
    parameters: dict[str, Any] | None
    arguments: str


class _Call(TypedDict, total=False):
    id: str
    function: Required[_Function]


class _Message(TypedDict, total=False):
    role: Required[Literal["system", "developer", "user", "assistant", "tool"]]
    content: str | list[Annotated[_Part, AfterValidator(_named)]] | None
    tool_calls: list[_Call] | None
    tool_call_id: str | None


class _Tool(TypedDict, total=False):
    type: Required[str]
    function: _Function


class _Plugin(TypedDict):
    id: str


class _Schema(TypedDict, total=False):
    name: Required[str]
    schema: dict[str, Any] | None
    strict: bool | None


class _SchemaFormat(TypedDict):
    type: Literal["json_schema"]
    json_schema: _Schema


class _Format(TypedDict):
    type: Literal["text", "json_object", "grammar", "python"]


class _Reasoning(TypedDict, total=False):
    effort: Effort
    max_tokens: int | None
    exclude: bool | None
    enabled: bool | None


class _Sort(TypedDict, total=False):
    by: str | None
    partition: str | None


class _Provider(TypedDict, total=False):
    order: list[str] | None
    only: list[str] | None
    ignore: list[str] | None
    quantizations: list[str] | None
    allow_fallbacks: bool | None
    require_parameters: bool | None
    zdr: bool | None
    data_collection: Literal["allow", "deny"] | None
    sort: str | _Sort | None
    max_price: dict[str, Price] | None


class _Routed(TypedDict, total=False):
    model: str | None
    models: list[str] | None
    provider: _Provider | None


def _agreed(chat: Any) -> Any:
    """Two words for the same thing must say the same."""
    said, shorthand = (chat.get("reasoning") or {}).get("effort"), chat.get("reasoning_effort")
    if said and shorthand and said != shorthand:
        raise ValueError(f"reasoning.effort is {said}, reasoning_effort is {shorthand}")
    return chat


class _Chat(_Routed, total=False):
    messages: Required[list[_Message]]
    stream: bool | None
    temperature: Annotated[float, Field(ge=0, le=2)] | None
    top_p: Share
    min_p: Share
    top_a: Share
    top_k: Annotated[int, Field(ge=0)] | None
    frequency_penalty: Penalty
    presence_penalty: Penalty
    repetition_penalty: Annotated[float, Field(ge=0, le=2)] | None
    seed: int | None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None
    logprobs: bool | None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None
    max_tokens: Limit
    max_completion_tokens: Limit
    stop: str | Annotated[list[str], Field(max_length=4)] | None
    modalities: list[Literal["text", "image", "audio"]] | None
    response_format: Annotated[_Format | _SchemaFormat, Field(discriminator="type")] | None
    tools: list[Annotated[_Tool, AfterValidator(_named)]] | None
    tool_choice: Literal["none", "auto", "required"] | Annotated[_Tool, AfterValidator(_named)] | None
    parallel_tool_calls: bool | None
    plugins: list[_Plugin] | None
    reasoning: _Reasoning | None
    reasoning_effort: Effort
    include_reasoning: bool | None


class _Content(TypedDict):
    content: list[_Part]


class _Embeddings(_Routed, total=False):
    input: Required[str | list[str | int | list[int] | _Content]]


class _Rerank(_Routed, total=False):
    documents: Required[list[str | dict[str, Any]]]


class FaultDetails(TypedDict, total=False):
    """What can be said of a fault."""

    message: Any
    code: Any
    native_finish_reason: Any
    metadata: Mapping[str, Any]
    availability: Mapping[str, Any]
    headers: Mapping[str, str]
    retry_after: float | str | None
    status: Annotated[int, Field(ge=200, le=599)]
    after: Annotated[int, Field(ge=0)]
    seconds: Seconds
    every: Seconds


CHAT = TypeAdapter(Annotated[_Chat, AfterValidator(_agreed)])
EMBEDDINGS = TypeAdapter(_Embeddings)
RERANK = TypeAdapter(_Rerank)
DETAILS = TypeAdapter(FaultDetails)


def refuse(shape: TypeAdapter[Any], body: Any) -> Problem | None:
    """What OpenRouter finds wrong with the form of a request."""
    wrong = misfit(shape, body)
    return invalid(wrong) if wrong else None


def misfit(shape: TypeAdapter[Any], value: Any) -> str | None:
    """What is wrong with a value that does not have a shape, or None."""
    try:
        shape.validate_python(value, strict=True)
    except ValidationError as error:
        # Where there were several shapes to try, the one that fitted the longest was meant.
        deepest = sorted(error.errors(), key=lambda one: -len(one["loc"]))
        return "; ".join(_said(one) for one in deepest[:_SHOWN])
    return None


_SHOWN = 3
_BRANCH = re.compile(r"str|_.*|.*[\[-].*")
"""A step that pydantic puts between two keys of JSON: which of several shapes it tried."""
_BOUNDS = {"greater_than_equal": ("least", "ge"), "less_than_equal": ("most", "le")}


def _said(error: ErrorDetails) -> str:
    """One thing that is wrong; numbers in OpenRouter's own words."""
    place = ".".join(str(step) for step in error["loc"] if not _BRANCH.fullmatch(str(step)))
    if error["type"] in _BOUNDS:
        word, key = _BOUNDS[error["type"]]
        return f"Expected {place} to be at {word} {error['ctx'][key]:g}, received {error['input']}"
    return ": ".join(filter(None, ("Invalid input", place, error["msg"].removeprefix("Value error, "))))
