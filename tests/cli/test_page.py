"""`Page`: everything escaped, nothing loaded, no script."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from openrouter_adapters.cli import comparison_page
from openrouter_adapters.cli.comparison import Comparison
from openrouter_adapters.cli.page import Page
from openrouter_adapters.cli.words import money

NASTY = "<script>alert(1)</script><img src=http://evil/x onerror=alert(1)>\"'&</style></svg>\x00\x1b\u202e"


class Parsed(HTMLParser):
    """The elements of a page and their attributes, and its texts."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.html())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def full() -> Page:
    """A page in which everything that others say is nasty."""
    page = Page(NASTY, NASTY)
    page.facts({NASTY: NASTY}, NASTY)
    page.table(NASTY, [NASTY], [[NASTY]], numbers={0}, note=NASTY)
    page.bars(NASTY, {NASTY: 1, "other": None}, lambda _: NASTY, note=NASTY)
    page.bars(NASTY, {NASTY: {NASTY: 1}, "b": {NASTY: Decimal("0.5")}})
    page.text(NASTY, NASTY, note=NASTY, bad=True)
    return page


def test_everything_is_escaped() -> None:
    parsed = Parsed(full())
    assert {tag for tag, _ in parsed.elements} & {"script", "img", "iframe", "object", "embed", "a", "form"} == set()
    assert [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")] == []
    assert "alert(1)" in "".join(parsed.texts)


def test_no_control_character_gets_in() -> None:
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f\u202e]", full().html()) == []


def test_a_long_slug_is_known_by_its_name() -> None:
    page = Page("Costs").bars("Cost", {"meta-llama/llama-3.3-70b-instruct": 1, f"x/{'y' * 40}z": 2, "a/short": 3})
    assert {"llama-3.3-70b-instruct", f"{'y' * 13}\u2026{'y' * 11}z", "a/short"} <= set(Parsed(page).texts)


def test_nothing_is_loaded_from_anywhere() -> None:
    parsed = Parsed(full())
    addresses = {
        value for _, attributes in parsed.elements for name, value in attributes.items() if name in ("href", "src")
    }
    assert addresses == {"data:,"}
    assert "url(" not in full().html()
    assert "@import" not in full().html()


def test_the_policy_forbids_all_but_the_pages_own_style() -> None:
    (policy,) = [meta["content"] for meta in Parsed(full()).attributes("meta") if "http-equiv" in meta]
    style = re.search("<style>(.*?)</style>", full().html(), re.DOTALL)
    assert style and policy
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert "unsafe" not in policy


def test_no_element_has_a_style_of_its_own() -> None:
    """The policy would not let it apply."""
    assert [tag for tag, attributes in Parsed(full()).elements if "style" in attributes] == []


def test_a_chart_shows_each_number_and_says_what_it_is() -> None:
    page = Page("Costs").bars("Cost", {"a/x": Decimal("0.00125"), "b/y": Decimal(0), "c/z": None}, money)
    parsed = Parsed(page)
    assert [svg["aria-label"] for svg in parsed.attributes("svg")] == ["Cost"]
    assert {"a/x", "b/y", "c/z", "$0.00125", "$0.00"} <= set(parsed.texts)


def widths(page: Page) -> list[float]:
    bars = [rect for rect in Parsed(page).attributes("rect") if "reactive" in (rect.get("class") or "")]
    return [float(bar.get("width") or 0) for bar in bars]


def test_the_bars_are_as_long_as_their_numbers() -> None:
    small, big = sorted(widths(Page("Costs").bars("Cost", {"a": 1, "b": 4})))
    assert big == pytest.approx(4 * small)


@pytest.mark.parametrize("bars", [{}, {"a": None}, {"x": {}, "y": {"a": None}}])
def test_a_chart_of_nothing_says_so(bars: Any) -> None:
    page = Page("Costs").bars("Cost", bars)
    assert "Not known." in page.html()
    assert Parsed(page).attributes("svg") == []


def test_a_chart_of_zeros_has_no_length() -> None:
    assert widths(Page("Costs").bars("Cost", {"a": 0, "b": Decimal(0)})) == [0, 0]


def test_drawing_leaves_everybodys_imports_alone() -> None:
    assert [finder for finder in sys.meta_path if "pygal" in type(finder).__module__] == []


def test_what_cannot_be_written_as_utf_8_does_not_stop_the_page(tmp_path: Path) -> None:
    Page("half \ud83d").text("half \ud83d", "half \ud83d").write(tmp_path / "page.html")
    assert "half" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_comparison_that_nobody_answered() -> None:
    failed = Comparison(model="a/x", error=ValueError("no"), text="so far", seconds=0.1)
    html = comparison_page("Why? " * 100, [failed], system="Be brief.").html()
    assert "ValueError: no" in html
    assert "so far" in html
    assert "1 of 1" in html
    assert "Be brief." in html
    assert html.count("Why? " * 100) == 1


def test_who_was_best() -> None:
    dear = Comparison(model="a/dear", cost=Decimal("0.5"), first_token=0.1, seconds=3.0)
    cheap = Comparison(model="b/cheap", cost=Decimal("0.25"), first_token=0.2, seconds=2.0)
    failed = Comparison(model="c/failed", cost=Decimal("0.125"), first_token=0.01, seconds=0.1, error=ValueError("no"))
    html = comparison_page("Why?", [dear, cheap, failed]).html()
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", html))
    assert facts == {
        "Cheapest": "b/cheap, $0.25",
        "First to begin": "a/dear, 0.10 s",
        "First to end": "b/cheap, 2.00 s",
        "Total cost": "$0.875",
        "Failed": "1 of 3",
    }


def test_a_total_says_when_costs_are_missing_from_it() -> None:
    known, unknown = Comparison(model="a/x", cost=Decimal("0.5")), Comparison(model="b/y")
    assert "<dd>$0.50, and 1 of unknown cost</dd>" in comparison_page("Why?", [known, unknown]).html()


def test_labels_that_are_cut_still_tell_variants_and_runs_apart() -> None:
    names = [f"vendor/a-model-with-a-very-long-name-indeed{end}" for end in ("", ":free", " #2")]
    labels = set(re.findall(r">(a-model[^<]*)</text>", Page("", "").bars("", dict.fromkeys(names, 1)).html()))
    assert len(labels) == 3 and max(map(len, labels)) <= 26
