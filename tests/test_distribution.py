"""What is uploaded: the sdist is the checkout, and the wheel made of it the package and nothing else."""

import importlib
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

import openrouter_adapters

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "integrations"
VERSION = openrouter_adapters.__version__
INFO = f"openrouter_adapters-{VERSION}.dist-info"
EXTRAS = {"aiohttp", "all", "cli", "gateway", "langchain", "ledger", "llamaindex", "local", "otel"}
# What the suite, the Makefile and CI need of a checkout.
FOLDERS = (".ci", "benchmarks", "cassettes", "docs", "examples", "integrations", "tests", "tools")
FILES = {
    *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "RELEASING.md"),
    *("constraints.txt", "pyproject.toml"),
    ".gitignore",  # it says what is no part of the next sdist
}


def build(source: Path, target: str, folder: Path) -> Path:
    """Build as `python -m build` does, with the backend that is here: no network is needed."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    [made] = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    [found] = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """The wheel, made from the sdist."""
    made = build(unpacked, "wheel", tmp_path_factory.mktemp("wheel"))
    assert made.name == f"openrouter_adapters-{VERSION}-py3-none-any.whl"
    with ZipFile(made) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Metadata:
    """It is valid, or this fails."""
    return Metadata.from_email(wheel.read(f"{INFO}/METADATA"), validate=True)


def files(root: Path, *folders: str) -> dict[str, bytes]:
    """What is in these folders, by its path from the root; no caches."""
    found = [path for folder in folders for path in (root / folder).rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in found
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def test_the_wheel_is_the_package_and_nothing_else(wheel: ZipFile) -> None:
    package = files(SOURCE, "openrouter_adapters")
    told = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    assert set(wheel.namelist()) == package.keys() | told
    assert {name: wheel.read(name) for name in package} == package
    assert {"openrouter_adapters/py.typed", "openrouter_adapters/cli/templates/page.html"} < package.keys()
    assert wheel.read(f"{INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_sdist_has_all_that_the_suite_needs(unpacked: Path) -> None:
    assert files(unpacked, *FOLDERS) == files(ROOT, *FOLDERS)
    assert {path.name for path in unpacked.iterdir()} >= {*FOLDERS, *FILES}


def test_the_sdist_has_no_left_overs(unpacked: Path) -> None:
    unwanted = re.compile(r"(^|/)(__pycache__|\.venv[^/]*|\.git|\.matrix|\.bench|dist|build|\.\w+_cache)(/|$)|\.pyc$")
    names = [path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")]
    assert names and [name for name in names if unwanted.search(name)] == []


def test_the_metadata_says_what_it_is(metadata: Metadata) -> None:
    assert (metadata.name, str(metadata.version)) == ("openrouter-adapters", VERSION)
    assert (metadata.license_expression, metadata.license_files) == ("MIT", ["LICENSE"])
    assert str(metadata.requires_python) == ">=3.11"
    assert metadata.summary and len(metadata.summary) < 200 and "Unofficial" in metadata.summary
    assert (metadata.description_content_type, metadata.description) == (
        "text/markdown",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    )
    classifiers = metadata.classifiers or []
    assert {"Typing :: Typed", "Framework :: Pytest", "Operating System :: OS Independent"} < set(classifiers)
    assert not [one for one in classifiers if one.startswith("License ::")], "the expression says it"


def test_every_extra_is_there_and_all_has_them_all(metadata: Metadata) -> None:
    assert set(metadata.provides_extra or []) == EXTRAS
    needs = {extra: needed(metadata, extra) for extra in EXTRAS}
    assert needed(metadata, "") == {"openai", "pydantic"}
    assert all(needs.values())
    assert needs["all"] == set().union(*(names for extra, names in needs.items() if extra != "all"))
    assert needs["gateway"] < needs["local"], "a model behind a gateway that cannot serve"


def needed(metadata: Metadata, extra: str) -> set[str]:
    """What an extra brings; with "" the base."""
    lines: list[Requirement] = metadata.requires_dist or []
    marked = [one for one in lines if one.marker and one.marker.evaluate({"extra": extra})]
    wanted = marked if extra else [one for one in lines if one.marker is None]
    return {f"{one.name}[{','.join(sorted(one.extras))}]" if one.extras else one.name for one in wanted}


def test_every_requirement_has_an_honest_least(metadata: Metadata) -> None:
    lines: list[Requirement] = metadata.requires_dist or []
    assert [str(one) for one in lines if ">=" not in str(one.specifier)] == []


def test_the_entry_points_lead_somewhere(wheel: ZipFile) -> None:
    told = wheel.read(f"{INFO}/entry_points.txt").decode()
    assert re.findall(r"\[(\w+)\]", told) == ["console_scripts", "pytest11"]
    for module, name in re.findall(r"= ([\w.]+):?(\w*)$", told, re.MULTILINE):
        loaded = importlib.import_module(module)
        assert callable(getattr(loaded, name or "openrouter_gateway"))


def test_the_changelog_knows_the_version() -> None:
    headings = re.findall(r"^## \[(\S+)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    [(newest, date), *_] = [heading for heading in headings if heading[0] != "Unreleased"]
    assert newest == VERSION
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
