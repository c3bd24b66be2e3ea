"""What a user is told who lacks an extra: an ImportError with the command that brings it.

Each is asked for where only what the base install brings can be imported, whatever is installed here.
"""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "integrations"
BASE = ("openai", "pydantic")
# What is not of the base cannot be found.
ALONE = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = set(sys.argv[1].split())
sys.meta_path.insert(0, Missing())
"""
ASKED = {
    "langchain": "from openrouter_adapters.langchain import ChatOpenRouter",
    "llamaindex": "from openrouter_adapters.llamaindex import OpenRouter",
    "gateway": "from openrouter_adapters.gateway import LocalGateway\nLocalGateway().start()",
    "cli": "from openrouter_adapters.cli import main\nmain()",
    "ledger": "import openrouter_adapters\nopenrouter_adapters.Ledger('sqlite:///costs.db')",
    "otel": "import openrouter_adapters\nopenrouter_adapters.trace_calls()",
    "aiohttp": (
        "import asyncio\nfrom openrouter_adapters.core.connections import shared\n"
        "asyncio.run(shared.for_loop(shared, 'aiohttp'))"
    ),
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_dependencies(names: tuple[str, ...]) -> set[str]:
    """These distributions and all that they need, without any extra."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = normal(waiting.pop())
        try:
            needed = () if name in found else requires(name) or ()
        except PackageNotFoundError:
            continue  # of another system or Python
        found.add(name)
        waiting += [re.split(r"[^\w.-]", line)[0] for line in needed if "extra ==" not in line]
    return found


def missing() -> str:
    """The modules that the base install does not bring."""
    base = with_dependencies(BASE)
    modules = packages_distributions()
    brought = {module for module, owners in modules.items() if base & {normal(owner) for owner in owners}}
    return " ".join(modules.keys() - brought - {"openrouter_adapters"})


def alone(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ALONE + script, missing()]
    return subprocess.run(command, capture_output=True, text=True, cwd=SOURCE, timeout=120)


def test_the_base_is_enough_for_what_is_at_the_top() -> None:
    script = "import openrouter_adapters as ours\nfor name in ours.__all__: getattr(ours, name)"
    assert (alone(script).returncode, alone(script).stderr) == (0, "")


@pytest.mark.parametrize("extra", ASKED)
def test_who_lacks_an_extra_is_told_how_to_get_it(extra: str) -> None:
    ended = alone(ASKED[extra])
    assert ended.returncode == 1
    last = [line for line in ended.stderr.splitlines() if line.strip()][-1]
    assert f"pip install 'openrouter-adapters[{extra}]'" in last
