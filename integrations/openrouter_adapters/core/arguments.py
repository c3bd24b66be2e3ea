"""Bad input is refused before anything is sent, in words that name the argument, the value and the remedy."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from openrouter_adapters.core.words import nearest

T = TypeVar("T")

_ENVIRONMENT = {
    "api_key": ("OPENROUTER_API_KEY",),
    "base_url": ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"),
    "app_url": ("OPENROUTER_APP_URL",),
    "app_title": ("OPENROUTER_APP_TITLE",),
    "session_id": ("OPENROUTER_SESSION_ID",),
}
# Arguments of other packages that have nothing to do here.
_NOT_NEEDED = {
    "route": "`models` are asked in order without it, leave it out",
    "n": "OpenRouter gives one answer per request, leave it out",
    "stream_usage": "usage and cost always come, streamed or not, leave it out",
    "stream_options": "usage and cost always come, streamed or not, leave it out",
    "reuse_client": "connections are always shared, leave it out",
    "mode": "vectors have no modes; query_input_type and document_input_type tell queries from documents",
    "organization": "an OpenRouter key has none, leave it out",
    "api_version": "OpenRouter's API has one version, leave it out",
    "tokenizer": "each answer says how many tokens it took, leave it out",
    "openai_client": "use http_client",
    "async_openai_client": "use http_async_client",
    "check_embedding_ctx_length": "texts are sent as they are, leave it out",
    "tiktoken_enabled": "texts are sent as they are, leave it out",
    "transforms": "use plugins=[{'id': 'context-compression'}]",
    "usage": "usage and cost always come, leave it out",
    "site_url": "use app_url",
    "site_name": "use app_title",
    "http_headers": "use default_headers, or extra_headers in a call",
    "timeout_ms": "use timeout, in seconds",
}
# Of those, what a request may have all the same: the API knows or knew it, or might.
_ON_THE_WIRE = {"n", "mode", "route", "transforms", "usage", "stream_options"}
_MUST = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be True or False",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "missing": "must be given",
}
_EXAMPLES = {
    "models": ', such as ["openai/gpt-5-mini"]',
    "provider": ', such as {"order": ["azure"]}',
    "reasoning": ', such as {"effort": "low"}',
    "plugins": ', such as [{"id": "web"}]',
}
SECRET = ("api_key", "default_headers", "extra_headers", "http_client", "http_async_client")
"""Options that are secret, or hold something that is."""
_UNSHOWN = (*SECRET, "base_url", "additional_kwargs")  # the last two may hold a password or a key
_QUERY = re.compile(r"[?#]")
_LONGEST_TIMEOUT = 3600.0  # seconds


def known_arguments(
    cls: type[BaseModel], aliases: Mapping[str, str], given: Mapping[str, Any], inside: Mapping[str, str]
) -> dict[str, Any]:
    """The constructor's arguments under their own names. None is "not set", also where the default is not None.

    Args:
        cls: the class that is made.
        aliases: other names of its arguments.
        given: the arguments.
        inside: keys that belong inside an option, and which.

    Raises:
        TypeError: an argument that nobody knows, or one given under two names with different values.
    """
    fields = cls.model_fields
    inside = {key: option for key, option in inside.items() if option in fields}
    names = {name for key, field_ in fields.items() for name in (key, field_.alias) if name}
    for name in given:
        if name not in names and name not in aliases:
            raise TypeError(unknown_argument(cls.__name__, name, [*names, *aliases], inside))
    _refuse_twice(cls.__name__, aliases, given)
    made = own_names(aliases, dict(sorted(given.items(), key=lambda item: item[1] is not None)))  # what is set, last
    return {name: value for name, value in made.items() if value is not None or _means_none(fields.get(name))}


def _means_none(field_: FieldInfo | None) -> bool:
    return field_ is None or field_.default is None or field_.default_factory is not None


def _refuse_twice(place: str, aliases: Mapping[str, str], given: Mapping[str, Any]) -> None:
    seen: dict[str, tuple[str, Any]] = {}
    for name, value in given.items():
        if value is None:
            continue
        first, said = seen.setdefault(aliases.get(name, name), (name, value))
        if said is not value and said != value:  # NaN is not even what it is itself
            raise TypeError(f"{place}: {first!r} and {name!r} are the same argument: give one of them")


def own_names(aliases: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments under their own names; of two names for one argument the later wins, as a call after what was bound."""
    return {aliases.get(name, name): value for name, value in given.items()}


def unknown_argument(place: str, name: str, names: Iterable[str], inside: Mapping[str, str]) -> str:
    """What to say of an argument that nobody knows; see `known_arguments`."""
    near = nearest(name, names)
    meant = f"did you mean {near!r}?" if near else "for a new wire field use extra_body={...}."
    return f"{place} got an unknown argument {name!r}: {_remedy(name, inside) or meant}"


def _remedy(name: str, inside: Mapping[str, str]) -> str | None:
    return f"use {inside[name]}={{{name!r}: ...}}" if name in inside else _NOT_NEEDED.get(name)


def warn_of_misplaced(call: Mapping[str, Any], inside: Mapping[str, str]) -> None:
    """Warn of names in a call that go into the body as they are, where the API will not look for them.

    Args:
        call: per-call options that are none of ours.
        inside: keys that belong inside an option, and which.
    """
    for name in call:
        if name not in _ON_THE_WIRE and (remedy := _remedy(name, inside)):
            warnings.warn(f"{name!r} is no option of a call and goes into the body as it is: {remedy}", stacklevel=2)


def validated(place: str, validate: Callable[[], T]) -> T:
    """What a validation gives.

    Raises:
        ValueError: a value that cannot be right; see `wrong_value`. pydantic's own error, which shows what it was
            given, is not even its context: trackers of errors read that too.
    """
    try:
        return validate()
    except ValidationError as error:
        said = wrong_value(place, error)
    raise ValueError(said)


def wrong_value(place: str, error: ValidationError) -> str:
    """One sentence for each argument whose value cannot be right: its name, its value, what it must be."""
    wrong: dict[str, tuple[Any, list[str]]] = {}
    for item in error.errors(include_url=False, include_context=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        _, musts = wrong.setdefault(name, (item["input"], []))
        said_by_pydantic = item["msg"].removeprefix("Value error, ")  # which stands before what we say ourselves
        musts.append(_MUST.get(item["type"], said_by_pydantic[:1].lower() + said_by_pydantic[1:]))
    said = (_wrong(name, value, musts) for name, (value, musts) in wrong.items())
    return f"{place}: {'; '.join(said)}"


def _wrong(name: str, value: Any, musts: list[str]) -> str:
    if musts == [_MUST["missing"]]:  # the value is that of everything around it
        return f"{name} is missing: give {name}=..."
    if not name:  # of several arguments together: the value is all of them, with the secrets
        return "; ".join(musts)
    shown = name if name in _UNSHOWN else f"{name}={value!r}"
    must = " or ".join(dict.fromkeys(musts)).replace("or must be", "or")
    return f"{shown} {must}{_EXAMPLES.get(name, '')}"


def check_timeout(timeout: float | None) -> None:
    """Warn of a time limit that must have been meant in milliseconds, as another package takes it."""
    if timeout is not None and timeout > _LONGEST_TIMEOUT:
        said = f"timeout={timeout:g} is in seconds, {timeout / 3600:.1f} hours: did you mean {timeout / 1000:g}?"
        warnings.warn(said, UserWarning, stacklevel=3)


def from_environment(options: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the environment says; the key must be known afterwards.

    Raises:
        ValueError: no key, or an empty one; a base_url that is no web address.
    """
    filled = dict(options)
    for name in _ENVIRONMENT:
        if filled.get(name) is None and (value := from_variables(name)) is not None:
            filled[name] = value
    filled["api_key"] = checked_key(filled.get("api_key"))
    if isinstance(filled.get("base_url"), str):
        filled["base_url"] = checked_address(filled["base_url"])
    return filled


def checked_key(key: Any) -> SecretStr:
    """An API key that can be sent.

    Raises:
        TypeError: it is neither text nor a SecretStr. The value is not shown.
        ValueError: it is missing or empty.
    """
    if key is not None and not isinstance(key, str | SecretStr):
        raise TypeError(f"api_key must be a str or a SecretStr, not {type(key).__name__}")
    text = key_text(key)
    if not text:
        state = "missing" if key is None else "empty"
        raise ValueError(
            f"api_key is {state}: pass api_key=... or set OPENROUTER_API_KEY "
            "(keys: https://openrouter.ai/settings/keys)"
        )
    if not (text.isascii() and text.isprintable()):
        raise ValueError("api_key has a character that no key has, a line break or an accent perhaps: copy it anew")
    return SecretStr(text)


def key_text(key: SecretStr | str | None) -> str:
    """A key in plain text; empty for None."""
    return (key.get_secret_value() if isinstance(key, SecretStr) else key or "").strip()


def is_of_environment(key: SecretStr | str | None) -> bool:
    """Whether a key is the environment's: a framework that builds a model anew gives it as an argument."""
    return key_text(key) == key_text(from_variables("api_key"))


def checked_address(base_url: str) -> str:
    """Where to send requests, without a slash at the end.

    Raises:
        ValueError: it is no web address: the key and the prompt must not go anywhere else.
            No password and no query is shown.
    """
    address = base_url.strip().rstrip("/")
    if fault := _fault_of(address):
        raise ValueError(f"base_url={without_user(base_url)!r} {fault}")
    return address


@lru_cache(maxsize=64)  # every request looks at its address, and it is always the same one
def _fault_of(address: str) -> str | None:
    if not address.lower().startswith(("https://", "http://")):
        return "must begin with https:// or http://"
    if mark := _QUERY.search(address):
        own, code = mark[0], quote(mark[0])
        return f"has a {own}, but paths are put after it: leave out what begins there, or write {code} in a password"
    with suppress(ValueError):
        scheme, _, rest = _around_user(address)
        parts = urlsplit(scheme + rest)
        host, port = parts.hostname or "", parts.port
        if re.fullmatch(r"\d+(\.\d+){3}", host):
            ipaddress.IPv4Address(host)
        if host.encode("idna") and port != 0 and address.isprintable():
            return None
    return "has no host, or a host or a port that cannot be: write https://host/path or https://host:8080/path"


def check_clients(options: Mapping[str, Any]) -> None:
    """Refuse HTTP clients that are none, or of the other colour; httpx itself is not imported, two packages have it.

    Args:
        options: ``http_client`` and ``http_async_client`` among them, or not.

    Raises:
        TypeError: one cannot send, or the sync one is async, or the other way round. It is not shown.
    """
    _check_client("http_client", options.get("http_client"), "Client", "http_async_client")
    client = options.get("http_async_client")
    if not (isinstance(client, str) and client == "aiohttp"):
        _check_client("http_async_client", client, "AsyncClient", "http_client")


def _check_client(name: str, client: Any, kind: str, other: str) -> None:
    if client is None:
        return
    given, is_async = type(client).__name__, kind == "AsyncClient"
    if isinstance(client, type) or not all(callable(getattr(client, does, None)) for does in ("send", "build_request")):
        more = ', or "aiohttp"' if is_async else ""
        raise TypeError(f"{name} must be an httpx.{kind} or httpx2.{kind}{more}, not a {given}")
    if iscoroutinefunction(client.send) is not is_async:
        raise TypeError(f"{name} must be {'an async' if is_async else 'a sync'} client: give this {given} as {other}")


def same_kind(error: Exception, said: str) -> Exception:
    """A plain TypeError or ValueError with other words: the classes derived from them take other arguments."""
    return TypeError(said) if isinstance(error, TypeError) else ValueError(said)


def without_user(address: str) -> str:
    """An address without what may be secret, to show it: user and password before the host, a query after the path."""
    head, *tail = _QUERY.split(address, maxsplit=1)
    if tail:  # it may also have begun in a password
        return f"{'' if '@' in tail[0] else without_user(head)}{address[len(head)]}..."
    scheme, _, rest = _around_user(address)
    if "@" in rest and _fault_of(address):  # nobody knows where its password ends
        return f"...@{address.rpartition('@')[2]}"
    return scheme + rest


def split_user(address: str) -> tuple[str, SecretStr]:
    """An address without user and password, and the ``Authorization`` that these ask for, empty without any."""
    scheme, both, rest = _around_user(address)
    user, _, password = both.partition(":")
    if not (user or password):
        return scheme + rest, SecretStr("")
    plain = f"{unquote(user)}:{unquote(password)}".encode()
    return scheme + rest, SecretStr(f"Basic {base64.b64encode(plain).decode()}")


def _around_user(address: str) -> tuple[str, str, str]:
    scheme, mark, rest = address.partition("://") if "://" in address else ("", "", address)
    host, slash, path = rest.partition("/")
    user, _, host = host.rpartition("@")
    return scheme + mark, user, host + slash + path


def from_variables(name: str) -> str | None:
    """What the environment says of an option."""
    return next((os.environ[variable] for variable in _ENVIRONMENT[name] if os.environ.get(variable)), None)


def check_positive(name: str, value: Any) -> None:
    """Refuse what is no whole number greater than 0.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number greater than 0")


def check_effort(options: Mapping[str, Any]) -> None:
    """Refuse two different efforts.

    Raises:
        ValueError: ``reasoning_effort`` and ``reasoning["effort"]`` are both given, and different.
    """
    short, reasoning = options.get("reasoning_effort"), options.get("reasoning")
    long = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    if short is not None and long is not None and short != long:
        raise ValueError(f"reasoning_effort={short!r} and reasoning['effort']={long!r} differ: give one of them")


def warn_of_unknown_keys(option: str, value: Mapping[str, Any] | None, known: Iterable[str]) -> None:
    """One warning for keys of an option that are not documented; they are sent all the same."""
    names = list(known)
    strange = [str(key) for key in value or () if key not in names]
    if strange:
        hints = [f"{key!r}" + (f" (did you mean {n!r}?)" if (n := nearest(key, names)) else "") for key in strange]
        warnings.warn(f"{option}: unknown key {', '.join(hints)} is sent as it is", UserWarning, stacklevel=3)
