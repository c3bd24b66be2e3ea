"""The page in a real browser: it looks as it should, light and dark, wide and narrow, and asks nobody for anything."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openrouter_adapters.cli import Comparison, comparison_page
from openrouter_adapters.core.records import Tokens
from openrouter_adapters.gateway import LocalGateway

playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: apt-get install chromium")

GPT, CLAUDE, NOBODY = "openai/gpt-4o-mini", "anthropic/claude-haiku-4.5", "no/such"
NASTY = "<img src='http://127.0.0.1:9/x' onerror='document.title=1'><script>document.title = 1</script>"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def path(openrouter_gateway: LocalGateway, compare: Callable[..., list[Comparison]], tmp_path: Path) -> Path:
    """A page as users get it, of answers that would like to do harm."""
    openrouter_gateway.reply(f"Air scatters blue. {NASTY}", match=lambda body: body["model"] == GPT, cost=0.0000471)
    openrouter_gateway.reply("Rayleigh.", match=lambda body: body["model"] == CLAUDE, cost=0.00125)
    found = compare("Why is the sky blue?", [GPT, CLAUDE, NOBODY])
    comparison_page("Why is the sky blue?", found).write(tmp_path / "page.html")
    return tmp_path / "page.html"


class Visit:
    """An open page, and what it did."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def texts(self, selector: str) -> list[str]:
        return await self.page.locator(selector).all_text_contents()

    async def value(self, script: str) -> Any:
        return await self.page.evaluate(script)


def boxes_of(selector: str, inside: str = "document") -> str:
    """JavaScript for where elements are on the screen."""
    return f"[...{inside}.querySelectorAll('{selector}')].map(one => one.getBoundingClientRect().toJSON())"


@asynccontextmanager
async def visiting(path: Path, **context: Any) -> AsyncIterator[Visit]:
    """The page in a browser of its own."""
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with playwright.async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            visit = Visit(await (await browser.new_context(**context)).new_page())
            await visit.page.goto(path.as_uri())
            yield visit
        finally:
            await browser.close()


async def test_a_wide_screen_shows_every_column_however_long_the_names(tmp_path: Path) -> None:
    name = "cognitivecomputations/dolphin-mistral-24b-venice-edition:free"
    told: dict[str, Any] = {
        "first_token": 1.5,
        "seconds": 20.5,
        "tokens": Tokens(120, 3600, 10, 0, 550),
        "cost": Decimal("0.0057462"),
    }
    found = Comparison(model=name, served_model=name, provider="Amazon Bedrock", finish_reason="stop", **told)
    comparison_page("Why?", [found]).write(tmp_path / "page.html")
    async with visiting(tmp_path / "page.html", viewport=WIDE) as visit:
        assert await visit.value("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.scroll'))")


async def test_the_charts_and_the_numbers_are_there_and_no_request_leaves(path: Path) -> None:
    async with visiting(path, viewport=WIDE) as visit:
        assert await visit.texts("h1") == ["Why is the sky blue?"]
        assert await visit.texts(".bars h2") == ["Cost", "First token", "Total time", "Tokens"]
        assert await visit.texts(".bars:has-text('Cost') svg .value") == ["$0.00125", "$0.0000471"]
        heights = await visit.value(f"{boxes_of('svg')}.map(box => box.height)")
        assert [height > 80 for height in heights] == [True] * 4
        cells = await visit.texts("tbody tr:first-child td")
        assert {GPT, "OpenAI", "$0.0000471", "stop"} <= set(cells)
        assert NASTY in (await visit.texts(".words"))[0]
        assert "InvalidRequestError" in (await visit.texts(".bad .words"))[0]
        assert await visit.page.title() == "Why is the sky blue?"
        assert (visit.requests, visit.complaints) == ([path.as_uri()], [])


async def test_a_script_would_not_run(path: Path) -> None:
    """So that nothing but the escaping being right is what protects: the policy would too."""
    html = path.read_text(encoding="utf-8")
    path.write_text(html.replace("</main>", f"{NASTY}</main>"), encoding="utf-8")
    async with visiting(path) as visit:
        assert await visit.page.title() == "Why is the sky blue?"
        assert len(visit.complaints) >= 2
        assert all("Content Security Policy" in complaint for complaint in visit.complaints)


async def test_without_scripts_it_is_as_readable(path: Path) -> None:
    async with visiting(path, java_script_enabled=False, viewport=NARROW) as visit:
        shown = await visit.page.inner_text("body")
        assert all(said in shown for said in ("Air scatters blue.", "Rayleigh.", "$0.00125", GPT))
        assert await visit.page.locator("svg").first.is_visible()


async def test_it_fits_screens_wide_and_narrow(path: Path) -> None:
    async with visiting(path) as visit:
        for viewport, columns in ((WIDE, 2), (NARROW, 1)):
            await visit.page.set_viewport_size(viewport)
            assert await visit.value("document.documentElement.scrollWidth") == viewport["width"]
            lefts = await visit.value(f"{boxes_of('section.bars')}.map(box => Math.round(box.left))")
            assert len(set(lefts)) == columns
            assert [await cut_off(visit, chart) for chart in range(4)] == [[]] * 4


async def cut_off(visit: Visit, number: int) -> list[Any]:
    """The texts of a chart that reach beyond it."""
    svg = f"document.querySelectorAll('svg')[{number}]"
    chart = await visit.value(f"{svg}.getBoundingClientRect().toJSON()")
    texts = await visit.value(boxes_of("text", svg))
    assert len(texts) >= 5
    return [text for text in texts if not chart["left"] <= text["left"] < text["right"] <= chart["right"]]


async def test_every_text_stands_out_in_light_and_in_dark(path: Path) -> None:
    async with visiting(path) as visit:
        for scheme in ("light", "dark"):
            await visit.page.emulate_media(color_scheme=scheme)
            card = await visit.value("getComputedStyle(document.querySelector('section')).backgroundColor")
            assert (luminance(card) > 0.5) == (scheme == "light")
            for selector in ("h1", "h2", "dt", "td", "th", ".words", ".note", ".bad .words", "footer", ".value"):
                style = f"getComputedStyle(document.querySelector('{selector}'))"
                ink = await visit.value(f"{style}.{'fill' if selector == '.value' else 'color'}")
                assert contrast(ink, card) > 4.5, f"{selector} in {scheme}"


def luminance(colour: str) -> float:
    """WCAG's relative luminance of ``rgb(...)``."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
