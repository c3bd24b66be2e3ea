"""The rules of the house that a machine can keep: who imports whom, how long things are, what is exported."""

import ast
import importlib
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "integrations"
PACKAGE = SOURCE / "openrouter_adapters"
NAME = PACKAGE.name
MODULES = sorted(PACKAGE.rglob("*.py"))
# What is made by a tool, one line per model: its length is the catalogue's.
GENERATED = {PACKAGE / "core" / "catalog_snapshot.py", PACKAGE / "core" / "catalog_profiles.py"}
OURS = [
    path
    for folder in ("integrations", "tests", "examples", "cassettes", "benchmarks", "tools", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

LONGEST_FUNCTION = 40
MEDIAN_FUNCTION = 8
LONGEST_MODULE = 400
IGNORED_TYPES = 10

HTTP = {"httpx", "httpx2"}
LANGCHAIN = {"langchain", "langchain_core", "langgraph", "langsmith"}
LLAMAINDEX = {"llama_index", "llama_index_core"}
SERVER = {"starlette", "uvicorn"}
PARTS = {f"{NAME}.{part}" for part in ("core", "langchain", "llamaindex", "gateway", "cli")}
# For each part of the house, what its modules never name in an import, not even inside a function.
FORBIDDEN = {
    "core": HTTP | LANGCHAIN | LLAMAINDEX | SERVER | PARTS - {f"{NAME}.core"},
    "langchain": HTTP | LLAMAINDEX | SERVER | {f"{NAME}.{part}" for part in ("llamaindex", "gateway", "cli")},
    "llamaindex": HTTP | LANGCHAIN | SERVER | {f"{NAME}.{part}" for part in ("langchain", "gateway", "cli")},
    "gateway": HTTP | LANGCHAIN | LLAMAINDEX | {"openai"} | PARTS - {f"{NAME}.gateway"},
    "cli": HTTP | {f"{NAME}.gateway"},
    "": HTTP | LANGCHAIN | LLAMAINDEX | SERVER | PARTS - {f"{NAME}.core"},
}
# For each thing a user imports, what must not be loaded with it.
UNLOADED = {
    NAME: LANGCHAIN | LLAMAINDEX | SERVER | HTTP | {"openai"},
    f"{NAME}.core": LANGCHAIN | LLAMAINDEX | SERVER | HTTP | {"openai"},
    f"{NAME}.langchain": LLAMAINDEX | SERVER | {"openai"},
    f"{NAME}.llamaindex": LANGCHAIN | SERVER | {"openai"},
    f"{NAME}.gateway": LANGCHAIN | LLAMAINDEX | {"openai"},
    f"{NAME}.cli": LANGCHAIN | LLAMAINDEX | SERVER | HTTP | {"openai", "typer", "rich", "jinja2", "pygal"},
    f"{NAME}.cli.app": LANGCHAIN | LLAMAINDEX | SERVER | HTTP | {"openai", "jinja2", "pygal"},
}
# The names without which a part is not what it says it is.
PROMISED = {
    NAME: {"OpenRouterError"},
    f"{NAME}.langchain": {"ChatOpenRouter", "OpenRouterCostHandler", "OpenRouterEmbeddings", "OpenRouterRerank"},
    f"{NAME}.llamaindex": {"OpenRouter", "OpenRouterCostHandler", "OpenRouterEmbedding", "OpenRouterRerank"},
    f"{NAME}.gateway": {"LocalGateway"},
    f"{NAME}.cli": {"compare_models", "acompare_models", "Comparison", "comparison_page", "main"},
}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def package_of(path: Path) -> list[str]:
    root = SOURCE if path.is_relative_to(SOURCE) else ROOT
    return list(path.relative_to(root).parent.parts)


def imported(path: Path) -> Iterator[str]:
    """Every dotted name that a module's import statements mention, absolute, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = package_of(path)[: 1 - node.level or None] if node.level else []
            base = ".".join([*origin, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def breaches(names: Iterator[str], forbidden: set[str]) -> list[str]:
    return sorted({name for name in names if any(is_inside(name, package) for package in forbidden)})


def part_of(path: Path) -> str:
    inside = path.relative_to(PACKAGE).parts
    return inside[0] if len(inside) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_imports_run_one_way(path: Path) -> None:
    assert breaches(imported(path), FORBIDDEN[part_of(path)]) == []


def test_nothing_imports_httpx() -> None:
    """``openai`` 2.x runs on httpx, 3.x on httpx2: whoever names one of them works on one major only."""
    elsewhere = [path for path in OURS if SOURCE not in path.parents]
    assert {label(path): found for path in elsewhere if (found := breaches(imported(path), HTTP))} == {}


def test_relative_imports_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "pack" / "inner" / "one.py"
    module.parent.mkdir(parents=True)
    module.write_text("from . import two\nfrom ..other import three\ndef f():\n    import four.five\n")
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    assert {"pack.inner.two", "pack.other.three", "four.five"} <= set(imported(module))


@pytest.mark.parametrize("module", UNLOADED)
def test_importing_loads_no_stranger(module: str) -> None:
    script = f"import sys, {module}\nprint(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=SOURCE, timeout=120
    ).stdout.split()
    assert sorted({name.partition(".")[0] for name in loaded} & UNLOADED[module]) == []


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module and how many lines it has, signature included, docstring not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield f"{label(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_functions_are_short() -> None:
    lengths = dict(found for path in MODULES for found in functions(path))
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
    assert statistics.median(lengths.values() or [0]) <= MEDIAN_FUNCTION


def test_modules_are_short() -> None:
    lengths = {label(path): len(path.read_text().splitlines()) for path in MODULES if path not in GENERATED}
    assert {name: lines for name, lines in lengths.items() if lines >= LONGEST_MODULE} == {}


def test_modules_have_a_noun() -> None:
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert [label(path) for path in MODULES if path.stem.strip("_") in vague] == []


def comments(path: Path) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return [f"{label(path)}:{token.start[0]} {token.string}" for token in tokens if token.type == tokenize.COMMENT]


def test_the_linter_is_never_silenced() -> None:
    assert [comment for path in OURS for comment in comments(path) if re.search(r"#.*\bnoqa\b", comment)] == []


def test_ignored_types_name_their_code_and_are_few() -> None:
    ignored = [comment for path in MODULES for comment in comments(path) if re.search(r"#\s*type:\s*ignore", comment)]
    assert [comment for comment in ignored if not re.search(r"ignore\[[a-z-]", comment)] == []
    assert len(ignored) <= IGNORED_TYPES, ignored


@pytest.mark.parametrize("module", PROMISED)
def test_exports_are_what_all_says(module: str) -> None:
    exporting = importlib.import_module(module)
    exported = exporting.__all__
    assert sorted(set(exported)) == sorted(exported), "a name stands twice"
    assert PROMISED[module] <= set(exported)
    assert [name for name in exported if not hasattr(exporting, name)] == []


@pytest.mark.parametrize("module", PROMISED)
def test_nothing_public_is_left_out_of_all(module: str) -> None:
    """A public name that a package binds but does not export is an accident that somebody will come to rely on."""
    exporting = importlib.import_module(module)
    ours = {
        name for name, value in vars(exporting).items() if is_inside(getattr(value, "__module__", None) or "", NAME)
    }
    assert sorted(name for name in ours - set(exporting.__all__) if not name.startswith("_")) == []
