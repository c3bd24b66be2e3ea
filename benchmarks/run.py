"""``make bench``: everybody measured side by side, in one interleaved run.

The peers get environments of their own in ``.bench/``. Each contender is a process of its own, and so is the server; in
each round every contender is measured once, in a random order, so that a noisy moment meets all alike. What is
compared are ratios within a round; the table has medians.

    python -m benchmarks.run [--rounds 5] [--framework langchain] [--only call] [--write]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders import FRAMEWORKS
from benchmarks.measures import GOALS, IMPORT, MEASURES, Goal, Measure
from benchmarks.worker import REPEATS

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".bench"
# LlamaIndex's package runs on openai 2 only; LangChain's are measured on the newest.
PACKAGES = {
    "langchain": ["openai==3.54.0", "langchain-openrouter==0.2.9", "langchain-openai==1.7.4"],
    "llamaindex": ["openai==2.54.0", "llama-index-llms-openrouter==0.6.0"],
}
# Compiled modules are written down and read again, as on any user's machine.
SURROUNDINGS = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
Values = dict[str, dict[str, list[float]]]
"""By measure and contender, one number for each round."""


def environment(framework: str) -> Path:
    """The Python of an environment with the framework, our package from this checkout, and the peers."""
    place = ENVIRONMENTS / framework
    python = place / "bin" / "python"
    ready = place / ".ready"
    if not ready.exists():
        print(f"Making an environment for {framework} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "--editable", f"{ROOT}[{framework},aiohttp]", *PACKAGES[framework]], check=True)
        ready.touch()
    return python


class Process:
    """A contender in a process of its own."""

    def __init__(self, python: Path, framework: str, name: str, address: str) -> None:
        command = [str(python), "-m", "benchmarks.worker", framework, name, address]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=SURROUNDINGS,
        )
        self.errors: list[str] = []
        if self._said() != "ready\n":
            raise RuntimeError(f"{' '.join(command)} did not start")

    def _said(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def measure(self, what: str, given: dict[str, Any]) -> float | None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([what, given]) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._said() or '{"error": "it died"}')
        if "error" in told:
            self.errors.append(f"{what} {given}: {told['error']}")
        return told.get("value")

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def server(python: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [str(python), "-m", "benchmarks.server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def run(framework: str, rounds: int, only: str | None) -> Values:
    """Measure a framework's contenders."""
    python = environment(framework)
    measures = [measure for measure in MEASURES if not only or only in measure.title]
    values: Values = {measure.title: {} for measure in measures}
    with ExitStack() as stack:
        address = stack.enter_context(server(python))
        processes = {name: Process(python, framework, name, address) for name in FRAMEWORKS[framework]}
        for process in processes.values():
            stack.callback(process.stop)
        for measure in measures:
            _interleaved(measure, processes, measure.rounds or rounds, values[measure.title])
        for name, process in processes.items():
            for error in process.errors:
                print(f"{name}: {error}", file=sys.stderr)
    if not only or only in IMPORT.title:
        values[IMPORT.title] = _imports(python, framework, rounds)
    return values


def _interleaved(measure: Measure, processes: dict[str, Process], rounds: int, found: dict[str, list[float]]) -> None:
    wanted = [name for name in processes if name not in measure.unless]
    for name in wanted:  # warm: imports, connections, caches
        if rounds > 1:
            processes[name].measure(measure.what, measure.given)
    for _ in range(rounds):
        for name in random.sample(wanted, len(wanted)):
            value = processes[name].measure(measure.what, measure.given)
            if value is not None:
                found.setdefault(name, []).append(value)
    shown = ", ".join(f"{name} {statistics.median(numbers):.3g}" for name, numbers in found.items())
    print(f"  {measure.title}: {shown}", file=sys.stderr)


def _imports(python: Path, framework: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of CPU that each module's import takes beyond its framework's own."""
    found: dict[str, list[float]] = {}
    modules = {name: one.imports for name, one in FRAMEWORKS[framework].items() if one.imports[0] != one.imports[1]}
    wanted = [name for name in modules if "aiohttp" not in name]
    for _ in range(rounds):
        for name in random.sample(wanted, len(wanted)):
            found.setdefault(name, []).append(min(_import(python, *modules[name]) for _ in range(REPEATS)))
    return found


def _import(python: Path, module: str, own: str) -> float:
    script = f"import {own}, time\nbegun = time.process_time()\nimport {module}\nprint(time.process_time() - begun)"
    command = [str(python), "-c", script]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=SURROUNDINGS)
    return float(ran.stdout)


def ratio(goal: Goal, values: Values) -> float | None:
    """The median, over the rounds, of ours divided by theirs; None where somebody was not measured."""
    found = values.get(goal.measure, {})
    if any(name not in found for name in (goal.of, *goal.by)):
        return None
    rounds = zip(found[goal.of], *(found[name] for name in goal.by), strict=False)
    return statistics.median(ours / sum(theirs) if theirs else ours for ours, *theirs in rounds)


def is_met(goal: Goal, reached: float) -> bool:
    """Whether a goal is met."""
    measure = next((one for one in MEASURES if one.title == goal.measure), IMPORT)
    return reached >= goal.limit if measure.more_is_better else reached <= goal.limit


def table(framework: str, values: Values) -> str:
    """Medians, a row for each measure."""
    names = list(FRAMEWORKS[framework])
    lines = [f"| {framework} | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for title, found in values.items():
        cells = [f"{statistics.median(found[name]):,.3g}" if name in found else "" for name in names]
        lines.append(f"| {title} | {' | '.join(_plain(cell) for cell in cells)} |")
    return "\n".join(lines)


def _plain(cell: str) -> str:
    return f"{float(cell.replace(',', '')):,.0f}" if "e" in cell else cell


def goals(framework: str, values: Values) -> str:
    """Each goal, what was reached, and whether it is met."""
    lines = ["| measure | ours by | goal | reached | |", "| --- | --- | ---: | ---: | --- |"]
    for goal in GOALS[framework]:
        reached = ratio(goal, values)
        if reached is not None:
            by = " + ".join(goal.by) or "itself"
            verdict = "met" if is_met(goal, reached) else "**not met**"
            of = "" if goal.of == "ours" else f" ({goal.of.removeprefix('ours, ')})"
            lines.append(f"| {goal.measure}{of} | {by} | {goal.limit:.3g} | {reached:.3g} | {verdict} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--framework", choices=FRAMEWORKS, action="append")
    parser.add_argument("--only", help="measures with this in their title")
    parser.add_argument("--write", action="store_true", help="put what was found into docs/performance.md")
    given = parser.parse_args(arguments)
    found = {name: run(name, given.rounds, given.only) for name in given.framework or FRAMEWORKS}
    tables = {name: f"{table(name, values)}\n\n{goals(name, values)}" for name, values in found.items()}
    print("\n\n".join(tables.values()))
    if given.write:
        from benchmarks.page import write  # needs pygal

        write(given.rounds, tables, found)


if __name__ == "__main__":
    main()
