"""The soak test: many calls at once, random faults, nothing mixed up, lost or leaked. `make soak` runs it."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import random
import sys

import openai

from .findings import Findings
from .ledger import Ledger, listening
from .plan import KINDS, plan
from .run import soak

SLACK = 120.0
"""Seconds that a run may take beside its calls; then the process is ended."""

FOREIGN = ("OPENROUTER_", "OPENAI_", "LANGSMITH", "LANGCHAIN")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long (default %(default)g)")
    parser.add_argument("--calls", type=int, default=0, help="make so many calls, in place of some seconds")
    parser.add_argument("--concurrent", type=int, default=100, help="calls at once, in tens (default %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="makes the same calls again")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="only say what the call of this number is")
    options = parser.parse_args()
    if options.concurrent % len(KINDS):
        parser.error(f"--concurrent must be a multiple of {len(KINDS)}")
    return options


def _run(options: argparse.Namespace) -> Findings:
    ledger = Ledger()
    with listening(ledger):
        return soak(ledger, options.seed, options.concurrent, seconds=options.seconds, calls=options.calls)


def main() -> int:
    options = _options()
    if options.show is not None:
        print(plan(options.seed, options.show))
        return 0
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    faulthandler.dump_traceback_later(options.seconds + SLACK, exit=True)
    print(f"openai {openai.__version__}, seed {options.seed}, {options.concurrent} at once", flush=True)
    findings = _run(options)
    print(findings.table())
    print("good" if findings.good else f"NOT GOOD: again with --seed {options.seed}", flush=True)
    if findings.ledger.broken_off:
        os._exit(1)  # what hangs would not let the process end
    return not findings.good


if __name__ == "__main__":
    asyncio.set_event_loop(None)  # or the first who asks for one is given a loop that nobody closes
    sys.exit(main())
