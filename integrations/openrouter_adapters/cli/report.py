"""`Report`: what many calls took, in groups. Pure: records in, sums out, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC
from decimal import Decimal
from operator import add
from types import MappingProxyType
from typing import Any

from openrouter_adapters.cli.words import count, one_line
from openrouter_adapters.core.records import ANSWERED, LEFT, NOTHING, CallRecord, Sums, Tokens
from openrouter_adapters.core.wire import EXACT

GROUPINGS: MappingProxyType[str, Callable[[CallRecord], Iterable[str]]] = MappingProxyType(
    {
        "model": lambda record: (record.model or record.requested_model or "unknown",),
        "provider": lambda record: (record.provider or "unknown",),
        "tag": lambda record: dict.fromkeys(record.tags) or ("",),
        "day": lambda record: (record.time.astimezone(UTC).date().isoformat(),),
    }
)
"""What calls can be grouped by; the tag of a call without any is empty."""


@dataclass(slots=True)
class Line:
    """What some calls took together.

    Attributes:
        failures: how many requests failed, refused ones and broken answers alike.
    """

    failures: int = 0
    _cost: Decimal = NOTHING
    _counts: list[int] = field(default_factory=lambda: [0] * 7)

    def add(self, record: CallRecord) -> None:
        """Count one more."""
        # Ledgers are long: a new `Sums` for each record would take most of the time.
        took = record.tokens
        self.failures += record.outcome not in (ANSWERED, LEFT)
        self._cost = EXACT.add(self._cost, record.cost or NOTHING)
        more = (took.input, took.output, took.cached, took.cache_write, took.reasoning, record.served, record.unpriced)
        self._counts = list(map(add, self._counts, more))

    @property
    def sums(self) -> Sums:
        """Of the calls that OpenRouter served."""
        *tokens, calls, unpriced = self._counts
        return Sums(self._cost, calls, Tokens(*tokens), unpriced)

    def facts(self) -> dict[str, Any]:
        """By name, as JSON and CSV show it. The cost is in USD."""
        return {
            "cost": self.sums.cost,
            "calls": self.sums.calls,
            "unpriced_calls": self.sums.unpriced_calls,
            "failures": self.failures,
            **{f"{kind}_tokens": number for kind, number in asdict(self.sums.tokens).items()},
        }

    def cells(self, places: int = 2) -> dict[str, str]:
        """By the heads of a table's columns, as people read it.

        Args:
            places: how many decimals the costs of the table have.
        """
        took = self.sums.tokens
        return {
            "cost": f"${self.sums.cost:.{places}f}",
            "calls": count(self.sums.calls),
            "tokens in": count(took.input),
            "cached": count(took.cached),
            "out": count(took.output),
            "reasoning": count(took.reasoning),
            "unpriced": count(self.sums.unpriced_calls),
            "failed": count(self.failures),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What many calls took.

    Attributes:
        total: all of them.
        groups: for each of `GROUPINGS` that was asked for, the lines by name: the dearest first, days in their order.
            A call with several tags is in each of their lines.
    """

    total: Line = field(default_factory=Line)
    groups: Mapping[str, Mapping[str, Line]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[CallRecord], by: Iterable[str] = GROUPINGS) -> Report:
        """Sum up records, of which none is kept."""
        total = Line()
        groups: dict[str, dict[str, Line]] = {name: {} for name in by}
        for record in records:
            total.add(record)
            for grouping, lines in groups.items():
                for name in GROUPINGS[grouping](record):
                    lines.setdefault(name, Line()).add(record)
        return cls(total, {grouping: _ordered(grouping, lines) for grouping, lines in groups.items()})

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to sum up."""
        return self.total == Line()


def cells_of(lines: Mapping[str, Line]) -> list[tuple[str, dict[str, str]]]:
    """The lines of a table: names and cells. The costs have as many decimals as the longest of them."""
    exponents = [line.sums.cost.normalize().as_tuple().exponent for line in lines.values()]
    places = max([2, *(-exponent for exponent in exponents if isinstance(exponent, int))])
    return [(one_line(name) or "no tag", line.cells(places)) for name, line in lines.items()]


def _ordered(grouping: str, lines: Mapping[str, Line]) -> dict[str, Line]:
    if grouping == "day":
        return dict(sorted(lines.items()))
    return dict(sorted(lines.items(), key=lambda item: (-item[1].sums.cost, -item[1].sums.calls, item[0])))
