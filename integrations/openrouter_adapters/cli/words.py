"""Texts for a terminal: harmless, and short enough."""

from __future__ import annotations

import re
from decimal import Decimal

# Control characters, those that steer a terminal among them, and those that turn the direction of writing around.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

UNKNOWN = "-"


def printable(text: str) -> str:
    """What others said, without characters that could steer the terminal; line ends and tabs stay."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same on one line."""
    return printable(" ".join(text.split()))


def money(amount: Decimal | None) -> str:
    """USD, to the last digit: ``$0.00004713``; at least two decimals."""
    if amount is None:
        return UNKNOWN
    whole, _, part = exact(amount).partition(".")
    return f"${whole}.{part:0<2}"


def exact(amount: Decimal) -> str:
    """The same for programs: ``0.00004713``; never an exponent, no more digits than there are."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float | None) -> str:
    """Seconds: ``0.42 s``."""
    return UNKNOWN if seconds is None else f"{seconds:.2f} s"


def count(number: int | None) -> str:
    """A whole number: ``12,345``."""
    return UNKNOWN if number is None else f"{number:,}"


def in_short(text: str, length: int) -> str:
    """On one line, and at most that many characters."""
    line = one_line(text)
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"
