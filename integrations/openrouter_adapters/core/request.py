"""From options to a request: the instance's and the call's are layered into one body and its headers.

Instance options, the instance's ``extra_body``, the call's options and the call's ``extra_body`` are layered in this
order, the later wins; ``provider``, ``reasoning`` and ``extra_body`` merge deeply; None clears. Nothing of the caller's
is mutated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, create_model

from openrouter_adapters.core.arguments import (
    SECRET,
    check_clients,
    check_effort,
    checked_address,
    checked_key,
    split_user,
    validated,
    warn_of_misplaced,
    warn_of_unknown_keys,
)
from openrouter_adapters.core.options import (
    BESIDE_BODY,
    BODY_OPTIONS,
    CALL_ALIASES,
    DEFAULT_BASE_URL,
    DEFAULT_MAX_RETRIES,
    HEADER_OPTIONS,
    INSIDE_OPTIONS,
    TRANSPORT_OPTIONS,
    EndpointOptions,
    OpenRouterOptions,
    ProviderPreferences,
)
from openrouter_adapters.core.wire import dict_of

CHAT, EMBEDDINGS, RERANK = "/chat/completions", "/embeddings", "/rerank"
"""The endpoints that cost something."""

_DEEP = {"provider", "reasoning"}
_NO_KEY = SecretStr("")
_NOT_IN_HEADER_NAMES = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent.

    Attributes:
        body: the JSON body.
        headers: headers of this request, without the key.
        api_key: the key.
        base_url: where to, without a slash at the end, and without a user and password.
        basic: the ``Authorization`` that a user and password in the address ask for, in the place of the key; or empty.
        timeout: seconds to connect and between two bytes; None: the SDK's default.
        stall_timeout: seconds between two pieces of data; None: no limit.
        max_retries: at most this many requests more than one.
        http_client: a sync client of the caller's, or None.
        http_async_client: an async client of the caller's, "aiohttp", or None.
        path: the endpoint.
        method: "post", or "get", which sends no body.
        tags: by which its cost is summed; never sent.
    """

    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    api_key: SecretStr = _NO_KEY
    base_url: str = DEFAULT_BASE_URL
    basic: SecretStr = field(default=_NO_KEY, repr=False)
    timeout: float | None = None
    stall_timeout: float | None = None
    max_retries: int = DEFAULT_MAX_RETRIES
    http_client: Any = None
    http_async_client: Any = None
    path: str = CHAT
    method: Literal["post", "get"] = "post"
    tags: tuple[str, ...] = ()

    @property
    def streams_only(self) -> bool:
        """Whether OpenRouter answers this as a stream only: audio output does not exist otherwise."""
        modalities = self.body.get("modalities")
        return isinstance(modalities, list) and "audio" in modalities

    @property
    def asked(self) -> tuple[str, ...]:
        """The models asked for in order: ``model``, then ``models``."""
        return models_in(self.body)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What proves who asks: the key, and what the ``Authorization`` of the address or the caller says instead."""
        own = [value for name, value in self.headers.items() if name.lower() == "authorization"]
        instead = [value.rpartition(" ")[2] for value in (self.basic.get_secret_value(), *own)]
        return (self.api_key.get_secret_value(), *instead)


def about_generation(request: Request, generation_id: str) -> Request:
    """The request that asks what another one was charged, of the same server with the same key.

    https://openrouter.ai/docs/api-reference/get-a-generation
    """
    return replace(request, body={}, path=f"/generation?id={quote(generation_id, safe='')}", method="get", tags=())


def models_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The models that a body asks for in order: ``model``, then ``models``."""
    first, rest = body.get("model"), body.get("models")
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
    return layered(options.set_options(), checked_call(call), {"messages": list(messages)})


def layered(
    instance: Mapping[str, Any], call: Mapping[str, Any], content: Mapping[str, Any], path: str = CHAT
) -> Request:
    """A request to any endpoint.

    Args:
        instance: the options of the model object that are set, by name.
        call: per-call options by name, checked.
        content: what the request is about; wins over every option.
        path: the endpoint.

    Raises:
        TypeError: an HTTP client that is none, or of the other colour.
        ValueError: no key, or an address or a header that cannot be.
    """
    override = dict(call)
    given = override.pop("default_headers", {})
    own = {} if given is None else {**(instance.get("default_headers") or {}), **given}
    extra_headers = headers_of("extra_headers", override.pop("extra_headers", None))  # the openai SDK's word for it
    transport = {**instance, **{name: override[name] for name in TRANSPORT_OPTIONS if name in override}}
    headers = {**header_options(instance, override), **own, **extra_headers}
    base_url, basic = split_user(checked_address(transport.get("base_url") or DEFAULT_BASE_URL))
    check_clients(transport)
    return Request(
        body={**request_body(instance, override), **content},
        headers=distinct_headers(headers),
        api_key=checked_key(transport.get("api_key")),
        base_url=base_url,
        basic=basic,
        timeout=transport.get("timeout"),
        stall_timeout=transport.get("stall_timeout"),
        max_retries=DEFAULT_MAX_RETRIES if transport.get("max_retries") is None else transport["max_retries"],
        http_client=transport.get("http_client"),
        http_async_client=transport.get("http_async_client"),
        path=path,
    )


def requiring_parameters(request: Request, *layers: Mapping[str, Any]) -> Request:
    """The request with ``provider.require_parameters``, unless one of the option layers speaks of that itself.

    Args:
        request: what was built.
        layers: the instance's options, the call's.
    """
    said = (dict_of(place.get("provider")) for layer in layers for place in (layer, dict_of(layer.get("extra_body"))))
    provider = request.body.get("provider") or {}
    if any("require_parameters" in preferences for preferences in said) or not isinstance(provider, Mapping):
        return request
    return replace(request, body={**request.body, "provider": {**provider, "require_parameters": True}})


def request_body(instance: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """The body that instance and call options ask for, without what it is about; fresh objects, nothing mutated."""
    body: dict[str, Any] = {}
    no_extra = "extra_body" in call and call["extra_body"] is None
    for layer in (instance, call):
        for key in _cleared(layer):
            body.pop(key, None)
        for key, value in _wire_layer(layer).items():
            _put(body, key, value, deep=key in _DEEP)
        for key, value in ({} if no_extra else layer.get("extra_body") or {}).items():
            _put(body, key, value, deep=True)
    body.pop("stream", None)  # whether the answer streams is said by the method
    return body


def _cleared(layer: Mapping[str, Any]) -> list[str]:
    """The keys that a layer clears before it sets any: ``reasoning=None`` beside an effort, say."""
    return [BODY_OPTIONS[name] for name, value in layer.items() if value is None and name in BODY_OPTIONS]


def _wire_layer(options: Mapping[str, Any]) -> dict[str, Any]:
    layer = {BODY_OPTIONS.get(name, name): value for name, value in options.items() if name not in BESIDE_BODY}
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


def headers_of(name: str, given: Any) -> Mapping[str, Any]:
    """The headers that an option gives; none for None.

    Raises:
        ValueError: it is no object. It is not shown: it may be a secret.
    """
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f'{name} must be an object, such as {{"X-Name": "value"}}, not a {type(given).__name__}')
    return given or {}


def _check_header_name(name: Any) -> None:
    """Refuse a name that HTTP has no room for. Only its beginning is shown: its value may have got into it."""
    if not isinstance(name, str):
        raise ValueError(f"a header's name is a {type(name).__name__}, give text")
    if not name:
        raise ValueError("a header's name is empty")
    if wrong := _NOT_IN_HEADER_NAMES.search(name):
        said = f"a header's name has {wrong[0]!r} in it, after {name[: wrong.start()]!r}"
        raise ValueError(f"{said}: HTTP allows letters, digits and !#$%&'*+-.^_`|~")


def distinct_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Each header once, whatever its case: the later wins, None takes it away.

    Raises:
        ValueError: a name that HTTP does not allow; a value that is no text, or has other characters than printable
            ASCII. The value is not shown: it may be a secret.
    """
    made: dict[str, tuple[str, str | None]] = {}
    for name, value in headers.items():
        _check_header_name(name)
        if not isinstance(value, str | None):
            raise ValueError(f"header {name}: its value is a {type(value).__name__}, give text")
        if value is not None and not (value.isascii() and value.isprintable()):
            raise ValueError(f"header {name}: HTTP carries printable ASCII only, respell its value")
        made[name.lower()] = (name, value)
    return {name: value for name, value in made.values() if value is not None}


@cache
def _checker(options: type[EndpointOptions], name: str) -> type[BaseModel]:
    """Checks one option, as the constructor does."""
    info = options.model_fields[name]
    field_: Any = (Annotated[info.annotation, name, *info.metadata], ...)
    return create_model(name, **{name: field_})


def is_secret(name: str) -> bool:
    """Whether what a call says under this name is shown nowhere, be it an option or not."""
    return name in SECRET or name in CALL_ALIASES or name.lower().endswith("api_key")


def _refuse_secrets(strange: Iterable[str]) -> None:
    for name in filter(is_secret, strange):
        meant = "extra_headers" if name.endswith("headers") else "api_key, or extra_body for a new field of the API"
        raise TypeError(f"{name!r} is no option of a call, and its value was not sent: use {meant}")


def checked_call(call: Mapping[str, Any], options: type[EndpointOptions] = OpenRouterOptions) -> dict[str, Any]:
    """Per-call options, their types checked; an unknown name is left alone and goes into the body.

    Args:
        call: the options by name.
        options: what the endpoint takes.

    Raises:
        TypeError: a key or headers under a name that is no option: they would be sent on to whoever answers.
        ValueError: a known option has a value of a wrong type, or two efforts differ.
    """
    _refuse_secrets(call.keys() - {*options.model_fields, *options.option_aliases, "extra_headers"})
    made = dict(call)
    for name, value in call.items():
        if value is not None and name in options.model_fields and name not in ("http_client", "api_key"):
            checked = validated("this call", partial(_checker(options, name).model_validate, {name: value}))
            made[name] = getattr(checked, name)
    check_effort(call)
    if "provider" in call:
        warn_of_unknown_keys("provider", call["provider"], ProviderPreferences.__annotations__)
    inside = {key: option for key, option in INSIDE_OPTIONS.items() if option in options.model_fields}
    warn_of_misplaced({name: None for name in call if name not in options.model_fields}, inside)
    return made
