"""Bad input is refused before anything is sent, in words that name the argument, the value and the remedy."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

_ENVIRONMENT = {
    "api_key": ("OPENROUTER_API_KEY",),
    "base_url": ("OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"),
    "app_url": ("OPENROUTER_APP_URL",),
    "app_title": ("OPENROUTER_APP_TITLE",),
    "session_id": ("OPENROUTER_SESSION_ID",),
}


def known_arguments(cls: type[BaseModel], aliases: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments under their own names.

    Raises:
        TypeError: an argument that nobody knows, or one given under two names.
    """
    names = {name for key, field_ in cls.model_fields.items() for name in (key, field_.alias) if name}
    for name in given:
        if name not in names and name not in aliases:
            raise TypeError(unknown_argument(cls.__name__, name, [*names, *aliases]))
    return renamed(cls, aliases, given)


def renamed(cls: type[BaseModel], aliases: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments under the names that they have here.

    Raises:
        TypeError: one is given under two names.
    """
    made: dict[str, Any] = {}
    for name, value in given.items():
        own = aliases.get(name, name)
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


def warn_of_unknown_keys(option: str, value: Mapping[str, Any] | None, known: Iterable[str]) -> None:
    """One warning for keys of an option that are not documented; they are sent all the same."""
    names = list(known)
    strange = [str(key) for key in value or () if key not in names]
    if strange:
        near = [difflib.get_close_matches(key, names, n=1) for key in strange]
        hints = [f"{key!r}" + (f" (did you mean {n[0]!r}?)" if n else "") for key, n in zip(strange, near, strict=True)]
        warnings.warn(f"{option}: unknown key {', '.join(hints)} is sent as it is", UserWarning, stacklevel=3)
