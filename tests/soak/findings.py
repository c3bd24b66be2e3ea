"""What is known at the end of a run, as one table, and whether it is good."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openrouter_adapters.gateway import FAULTS

from .ledger import Ledger
from .resources import Memory

MORE_RESIDENT, MORE_OBJECTS = 32.0, 4000
"""How much memory may have grown since the warm-up: MiB, and objects of the garbage collector."""


@dataclass
class Findings:
    """What is known at the end.

    Attributes:
        ledger: what became of the calls.
        gateway: the gateway's report.
        memory: after the warm-up, and at the end; None where it was not measured.
        sockets: before the first call, after the last one, and after the models were closed.
        tasks: left in the event loop.
        threads: more than before the first call.
    """

    ledger: Ledger
    gateway: dict[str, Any] = field(default_factory=dict)
    memory: tuple[Memory, Memory] | None = None
    sockets: tuple[int, int, int] = (0, 0, 0)
    tasks: int = 0
    threads: int = 0

    @property
    def must_be_none(self) -> dict[str, int]:
        """What there must be none of."""
        return {
            "unexpected": self.ledger.unexpected,
            "lost": len(self.ledger.open()),
            "calls with more requests than max_retries + 1": len(self.gateway["too_often"]),
            "exchanges still open at the gateway": len(self.gateway["open"]),
            "leaked sockets": self.sockets[2] - self.sockets[0],
            "leaked tasks": self.tasks,
            "leaked threads": self.threads,
        }

    @property
    def good(self) -> bool:
        return not any(self.must_be_none.values()) and not self._grew

    @property
    def _grew(self) -> bool:
        if self.memory is None:
            return False
        before, after = self.memory
        return after.resident - before.resident > MORE_RESIDENT or after.objects - before.objects > MORE_OBJECTS

    def table(self) -> str:
        """Everything, a line each."""
        outcomes, faults = self.ledger.outcomes, self.gateway["faults"]
        rows = {
            "calls": str(self.ledger.begun),
            "requests at the gateway": str(self.gateway["requests"]),
            f"faults injected, {len(faults)} of {len(FAULTS)} kinds": _listed(faults),
            "whole answers": str(outcomes["whole"]),
            "typed errors": _listed(self.ledger.errors()),
            "left early": f"{outcomes['left']}; the gateway saw {self.gateway['left']} clients leave",
            "sockets": "{} before, {} with the models open, {} after closing them".format(*self.sockets),
            "memory": self._memory(),
            **{f"{name} (must be 0)": str(count) for name, count in self.must_be_none.items()},
        }
        width = max(map(len, rows))
        return "\n".join(f"{name:<{width}}  {_wrapped(said, width + 2)}" for name, said in rows.items())

    def _memory(self) -> str:
        if self.memory is None:
            return "not measured"
        before, after = self.memory
        resident = f"{before.resident:.1f} -> {after.resident:.1f} MiB (at most {MORE_RESIDENT:+g})"
        return f"{resident}; {before.objects} -> {after.objects} objects (at most {MORE_OBJECTS:+d})"


def _listed(counts: Mapping[str, int]) -> str:
    return f"{sum(counts.values())}: {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}"


def _wrapped(text: str, indent: int) -> str:
    return textwrap.fill(text, 118, subsequent_indent=" " * indent, initial_indent=" " * indent).lstrip()
