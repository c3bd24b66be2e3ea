"""`Page`: one HTML file that holds all it needs, and that no request leaves."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from openrouter_adapters import __version__
from openrouter_adapters.cli.charts import Bars, bar_chart
from openrouter_adapters.cli.words import printable


def _shown(value: object) -> object:
    """A value as it may stand in a page; what is markup of our own stays as it is."""
    return value if isinstance(value, Markup) else printable(str(value))


_TEMPLATES = Environment(
    loader=PackageLoader("openrouter_adapters.cli"),
    autoescape=True,
    finalize=_shown,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Page:
    """A page made of facts, tables, bar charts and texts, in the order in which they are added.

    ::

        page = Page("Costs of November", "3 models")
        page.facts({"Total": "$1.25", "Calls": "310"})
        page.bars("Cost", {"openai/gpt-5-mini": Decimal("1.25"), "x/free": Decimal(0)}, money)
        page.table("By model", ["Model", "Cost"], [["openai/gpt-5-mini", "$1.25"]], numbers={1})
        page.write("costs.html")

    Everything is escaped, whoever said it. The styles are in the page; it has no script, and its
    Content-Security-Policy forbids to load anything.

    Args:
        title: the heading, and the name of the browser's tab.
        about: a sentence below it.
    """

    def __init__(self, title: str, about: str = "") -> None:
        self.title = title
        self.about = about
        self._sections: list[dict[str, Any]] = []

    def _add(self, kind: str, title: str, *, wide: bool, note: str = "", bad: bool = False, **more: Any) -> Self:
        self._sections.append({"kind": kind, "title": title, "wide": wide, "note": note, "bad": bad, **more})
        return self

    def facts(self, facts: Mapping[str, object], title: str = "") -> Self:
        """Names and values in a line.

        Args:
            facts: the name of each -> its value.
            title: stands above.
        """
        return self._add("facts", title, wide=True, facts=dict(facts))

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        numbers: Collection[int] = (),
        note: str = "",
    ) -> Self:
        """A table.

        Args:
            title: stands above.
            columns: what stands at the top of each column.
            rows: the cells of each row.
            numbers: which columns (from 0) hold numbers; they are set to the right.
            note: stands below.
        """
        found = [list(row) for row in rows]
        return self._add(
            "table", title, wide=True, note=note, columns=list(columns), rows=found, numbers=frozenset(numbers)
        )

    def bars(
        self,
        title: str,
        bars: Bars | Mapping[str, Bars],
        shown: Callable[[Any], str] = str,
        *,
        note: str = "",
    ) -> Self:
        """A bar chart; two stand side by side where there is room.

        Args:
            title: stands above.
            bars: the name of each bar -> its number (None: unknown, no bar), or the name of each series -> its bars.
            shown: how a number is written.
            note: stands below.
        """
        series = _series(title, bars)
        known = any(value is not None for one in series.values() for value in one.values())
        svg = bar_chart(series, shown, title) if known else ""
        return self._add("bars", title, wide=False, note=note, svg=Markup(svg))

    def text(self, title: str, text: str, *, note: str = "", wide: bool = False, bad: bool = False) -> Self:
        """A text with its own line ends, such as an answer.

        Args:
            title: stands above.
            text: it is shown as it is, without markup.
            note: stands below.
            wide: whether it takes the whole width.
            bad: whether it tells of a failure.
        """
        return self._add("text", title, wide=wide, note=note, bad=bad, text=text)

    def html(self) -> str:
        """The whole page."""
        css = Markup(_TEMPLATES.get_template("page.css").render())
        return _TEMPLATES.get_template("page.html").render(
            title=self.title,
            about=self.about,
            sections=self._sections,
            css=css,
            policy=_policy(css),
            number=Markup(' class="number"'),
            version=__version__,
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )

    def write(self, path: str | Path) -> None:
        """Write it to a file.

        Args:
            path: the file; one that is there is replaced.

        Raises:
            OSError: it cannot be written.
        """
        Path(path).write_text(self.html(), encoding="utf-8")


def _series(title: str, bars: Bars | Mapping[str, Bars]) -> dict[str, Bars]:
    """Bars by the name of their series; those without one are named after the chart."""
    named = {name: one for name, one in bars.items() if isinstance(one, Mapping)}
    return named or {title: {name: one for name, one in bars.items() if not isinstance(one, Mapping)}}


def _policy(css: str) -> str:
    """Nothing may be loaded, no script may run; of styles only this page's own."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
