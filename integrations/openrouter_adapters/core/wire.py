"""Tolerant getters: what a server sent is read, never validated.

A field that is missing, null or of another type is simply unknown (None). Nothing here raises because of a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Any

_SHORTEST_SECRET = 8  # characters

EXACT = Context(prec=60)
"""In which money is added up: the caller's own may round, and is another one in each thread."""


def text_of(value: Any) -> str | None:
    """The value, if it is a string with something in it."""
    return value if isinstance(value, str) and value else None


def id_of(value: Any) -> str:
    """An id as text, a number too; "" when there is none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def int_of(value: Any) -> int | None:
    """A count.

    Floats such as ``12.0`` and strings such as ``"12"`` occur on other people's wires; booleans do not count.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):  # no number, NaN, infinite, or longer than Python converts
        return None


def money_of(value: Any) -> Decimal | None:
    """A sum of money, exact to the digits that were written; None when unknown. Zero is a price, not unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):  # no number, or longer than Python converts
        return None
    return amount if amount.is_finite() else None


def bool_of(value: Any) -> bool | None:
    """The value, if it is a boolean."""
    return value if isinstance(value, bool) else None


def dict_of(value: Any) -> dict[str, Any]:
    """The value as a dict; empty when it is none."""
    return value if isinstance(value, dict) else dict(value) if isinstance(value, Mapping) else {}


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """The dicts in a list; anything else is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, Sequence) else []


def known(**fields: Any) -> dict[str, Any]:
    """Only the fields that are not None: absent things are absent, not null."""
    return {key: value for key, value in fields.items() if value is not None}


def hidden(value: Any, *secrets: str) -> Any:
    """A value without secrets in any of its texts: a server may repeat what it was sent.

    Args:
        value: anything out of JSON.
        *secrets: the secrets; one so short that it may stand in any text is left alone.
    """
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***") if len(secret) >= _SHORTEST_SECRET else value
        return value
    if isinstance(value, dict):
        return {hidden(key, *secrets): hidden(item, *secrets) for key, item in value.items()}
    return [hidden(item, *secrets) for item in value] if isinstance(value, list) else value
