"""The docs as a site: built without a warning, every link leads somewhere, and a browser shows it on a phone too."""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

pytest.importorskip("mkdocs", reason="the site is built where the group docs is installed: on openai 3.x")
playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: apt-get install chromium")

ROOT = Path(__file__).resolve().parents[1]
PHONE, DESK = {"width": 360, "height": 780}, {"width": 1280, "height": 900}
REFERENCE = {
    "openrouter_adapters": "reference",
    "openrouter_adapters.langchain": "reference/langchain",
    "openrouter_adapters.llamaindex": "reference/llamaindex",
    "openrouter_adapters.gateway": "reference/gateway",
}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The site as `make docs` builds it, once for all of the processes that run tests."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    built = shared / "site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            build(built)
    return built


def build(target: Path) -> None:
    """Into another place first, so that what is there is whole."""
    making = target.with_suffix(".making")
    command = [sys.executable, "-W", "error", "-m", "mkdocs", "build", "--strict", "--site-dir", str(making)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    making.rename(target)


class Page(HTMLParser):
    """What a page links to, what can be linked to on it, and the text of its paragraphs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.text: list[str] = []
        self._in_code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self._in_code += tag in ("pre", "code", "script", "style")
        self.anchors |= {name for name in (told.get("id"), told.get("name")) if name}
        self.links += [link for link in (told.get("href"), told.get("src")) if link]

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in ("pre", "code", "script", "style")

    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self.text.append(data)


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[str, Page]:
    """Every page by its address on the site."""
    found = {f"/{path.relative_to(site)}".removesuffix("index.html"): path for path in site.rglob("*.html")}
    return {address: Page(path.read_text(encoding="utf-8")) for address, path in found.items()}


def test_every_link_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    broken, followed = [], 0
    for address, page in pages.items():
        for link in page.links:
            there = urlsplit(urljoin(f"http://site{address}", link))
            if there.netloc != "site" or there.scheme == "data":
                continue
            followed += 1
            target, anchor = unquote(there.path), unquote(there.fragment)
            known = target in pages or (site / target.lstrip("/")).is_file()
            if not known or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append(f"{address}: {link}")
    assert broken == []
    assert followed > 1000


def test_what_a_page_loads_is_on_the_site(pages: dict[str, Page], site: Path) -> None:
    """Only what a reader follows leads elsewhere."""
    outside = 'src="http', 'rel="stylesheet" href="http', "@import", "fonts.g", "unpkg", "jsdelivr", "cloudflare"
    for address in pages:
        html = (site / address.lstrip("/") / ("index.html" if address.endswith("/") else "")).read_text(
            encoding="utf-8"
        )
        assert [word for word in outside if word in html] == [], address


def test_lists_are_lists(pages: dict[str, Page]) -> None:
    """A list that follows its paragraph without a blank line is one on a code host, but not on the site."""
    found = {address: [text for text in page.text if "\n- " in text] for address, page in pages.items()}
    assert {address: texts for address, texts in found.items() if texts} == {}


@pytest.mark.parametrize("package", REFERENCE)
def test_every_public_name_is_in_the_reference(package: str, pages: dict[str, Page], site: Path) -> None:
    exported = {name for name in importlib.import_module(package).__all__ if name != "__version__"}
    page = pages[f"/{REFERENCE[package]}/"]
    named = {anchor.removeprefix(f"{package}.") for anchor in page.anchors}
    assert exported - named == set(), f"write ::: {package}.NAME into docs/{REFERENCE[package]}.md"
    empty = [name for name in exported if not described(site / REFERENCE[package] / "index.html", f"{package}.{name}")]
    assert empty == []


def described(path: Path, anchor: str) -> str:
    """What stands under a name, up to the next one."""
    after = path.read_text(encoding="utf-8").split(f'id="{anchor}"', 1)[1]
    return after.partition('<div class="doc doc-contents')[2].partition("<p>")[2].partition("</p>")[0]


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The site over HTTP, as a reader gets it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: what went wrong is in the browser."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Reader:
    """An open browser window, what it asked for and what it complained of."""

    def __init__(self, page: Any, root: str) -> None:
        self.page = page
        self.root = root
        self.strangers: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on("response", self._answered)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.root, "data:", "blob:")):
            self.strangers.append(request.url)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    async def open(self, address: str) -> None:
        await self.page.goto(f"{self.root}{address}")

    async def value(self, script: str) -> Any:
        return await self.page.evaluate(script)


@asynccontextmanager
async def reading(root: str, **context: Any) -> AsyncIterator[Reader]:
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with playwright.async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield Reader(await (await browser.new_context(**context)).new_page(), root)
        finally:
            await browser.close()


# What of a page is wider than the screen and cannot be scrolled by itself.
TOO_WIDE = """() => [...document.querySelectorAll("main *")].filter(one => {
    if (!one.offsetParent) return false;
    if (one.getBoundingClientRect().right <= document.documentElement.clientWidth + 1) return false;
    for (let box = one; box; box = box.parentElement)
        if (["auto", "scroll", "hidden"].includes(getComputedStyle(box).overflowX)) return false;
    return true;
}).map(one => one.outerHTML.slice(0, 120))"""
CODE = """() => [...document.querySelectorAll("pre > code")].map(code => ({
    size: parseFloat(getComputedStyle(code).fontSize),
    room: code.clientWidth,
    fits: code.scrollWidth <= code.clientWidth || ["auto", "scroll"].includes(getComputedStyle(code).overflowX),
}))"""


@in_browser
async def test_every_page_fits_a_phone_and_asks_nobody_for_anything(served: str, pages: dict[str, Page]) -> None:
    async with reading(served, viewport=PHONE) as reader:
        examples = sorted(address for address in pages if address.startswith("/examples/"))
        for address in sorted(pages.keys() - {"/404.html", *examples[1:]}):  # examples are made alike: one will do
            await reader.open(address)
            assert await reader.value("document.documentElement.scrollWidth") == PHONE["width"], address
            assert await reader.value(TOO_WIDE) == [], address
            for code in await reader.value(CODE):
                assert code["size"] >= 12 and code["room"] >= 280 and code["fits"], address
        assert (reader.strangers, reader.complaints) == ([], [])


@in_browser
async def test_a_reader_finds_copies_and_darkens(served: str) -> None:
    async with reading(served, viewport=DESK, color_scheme="dark") as reader:
        await reader.open("/")
        assert await reader.value("document.body.dataset.mdColorScheme") == "slate"
        assert await reader.page.locator("button.md-code__button[data-md-type=copy]").count() >= 5
        await reader.page.locator("input.md-search__input").click()
        await reader.page.keyboard.type("budget")
        await reader.page.locator(".md-search-result__link[href*='/costs/']").first.wait_for()
        assert (reader.strangers, reader.complaints) == ([], [])
