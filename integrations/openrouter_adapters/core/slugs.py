"""Model slugs: what a slug says, and whether two of them can mean the same model.

A slug is ``vendor/name``, perhaps with a variant (``:free``). Answers name the model in other words than requests do:
``anthropic/claude-haiku-4.5`` answers as ``anthropic/claude-4.5-haiku-20251001``, ``openai/gpt-4o`` as
``openai/gpt-4o-2024-08-06``, ``cohere/rerank-v3.5`` as ``rerank-v3.5``. So slugs are compared by their words, in any
order, and their numbers, in order; a date that only one of them has says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# 2024-08-06, 20251001 and 07-09 only ever tell which edition of the named model it is.
_DATE = re.compile(r"-(20\d\d-?[01]\d-?[0-3]\d|[01]\d-[0-3]\d)$")
# 0324, 2507, 08-2024, 001 and v3 tell editions of some models and models of their own of others
# (deepseek-r1 and deepseek-r1-0528 are sold side by side).
_EDITION = re.compile(r"(?:-(?:\d{4}|[01]\d-20\d\d|00\d|v\d+))+$")


@dataclass(frozen=True, slots=True)
class Slug:
    """What a slug says once order, date, edition and variant are told apart.

    Attributes:
        vendor: the part before the slash; empty when there is none.
        words: the name's words, sorted: their order differs between requests and answers.
        numbers: the name's numbers, in order: 4.5 and 4-5 are the same, 4.5 and 5.4 are not.
        date: a date at the end; empty when there is none.
        edition: a shorter stamp at the end, which may or may not be part of the name; empty when there is none.
    """

    vendor: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    date: str
    edition: str

    @classmethod
    @lru_cache(maxsize=512)
    def parse(cls, slug: str) -> Slug:
        """Take a slug apart. Any string will do."""
        vendor, _, name = base(slug).rpartition("/")
        name, date = _cut(name, _DATE)
        name, edition = _cut(name, _EDITION)
        parts = [part for part in re.split(r"[-._/ ]+", name) if part]
        return cls(
            vendor=vendor,
            words=tuple(sorted(part for part in parts if not part.isdecimal())),
            numbers=tuple(part for part in parts if part.isdecimal()),
            date=date.replace("-", ""),
            edition=edition,
        )

    def matches(self, other: Slug) -> bool | None:
        """Whether both mean one model: True, certainly not (False), or cannot be told (None)."""
        if (self.words, self.numbers) != (other.words, other.numbers):
            return None if "latest" in self.words + other.words else False
        if _contradict(self.date, other.date) or _contradict(self.edition, other.edition):
            return False
        if _contradict(self.vendor, other.vendor) or self.edition != other.edition:
            return None
        return True


def _cut(name: str, tail: re.Pattern[str]) -> tuple[str, str]:
    """The name without its tail, and the tail."""
    found = tail.search(name)
    return (name[: found.start()], found[0]) if found else (name, "")


def _contradict(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def normal(slug: str) -> str:
    """The slug in lower case, without the ``openrouter/`` that other tools put before a vendor.

    ``openrouter/auto`` keeps it: there it is the vendor.
    """
    slug = slug.strip().lower()
    rest = slug.removeprefix("openrouter/")
    return rest if "/" in rest else slug


def base(slug: str) -> str:
    """The slug without its variant (``:free``, ``:nitro``, ``:thinking`` ...), normalised."""
    return normal(slug).partition(":")[0]


def is_indirect(slug: str) -> bool:
    """Whether a slug leaves the choice of the model to OpenRouter.

    So do routers (``openrouter/auto``), presets (``@preset/mine``, ``vendor/name@preset/mine``) and aliases
    (``~vendor/family-latest``).
    """
    slug = normal(slug)
    return not slug or slug.startswith(("~", "openrouter/")) or "@" in slug
