"""What a run found, in ``docs/performance.md`` and as a picture beside it."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pygal

DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKS = "<!-- measured -->", "<!-- /measured -->"
SHOWN = ("call, µs", "async call, 50 at once, µs", "text chunk, µs", "reasoning chunk, µs", "tool-call chunk, µs")
TITLES = {"langchain": "LangChain", "llamaindex": "LlamaIndex"}


def write(
    rounds: int, tables: Mapping[str, str], pictures: Mapping[str, Mapping[str, Mapping[str, list[float]]]]
) -> None:
    """Put a run into the page.

    Args:
        rounds: how many there were.
        tables: by framework, its tables.
        pictures: by framework, what was measured.
    """
    machine = f"Python {platform.python_version()}, {platform.machine()}"
    parts = [f"Measured on {datetime.now(UTC):%Y-%m-%d} in {rounds} rounds, {machine}."]
    for framework, text in tables.items():
        picture = DOCS / f"performance-{framework}.svg"
        picture.write_text(_picture(framework, pictures[framework]), encoding="utf-8")
        told = f"![{TITLES[framework]}: microseconds of CPU, shorter is better]({picture.name})"
        parts += [f"### {TITLES[framework]}", told, text]
    page = DOCS / "performance.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    made = "\n\n".join([MARKS[0], *parts, MARKS[1]])
    page.write_text(before + made + rest.partition(MARKS[1])[2], encoding="utf-8")


def _picture(framework: str, values: Mapping[str, Mapping[str, list[float]]]) -> str:
    """Bars on a logarithmic scale: the others are ten and a hundred times as long."""
    chart = pygal.HorizontalBar(
        title=f"{TITLES[framework]}: microseconds of CPU, logarithmic",
        logarithmic=True,
        js=[],
        width=900,
        height=520,
        print_values=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        value_formatter=lambda value: f"{value:,.0f}",
    )
    titles = [title for title in SHOWN if values.get(title)]
    chart.x_labels = [title.removesuffix(", µs") for title in reversed(titles)]
    for name in dict.fromkeys(name for title in titles for name in values[title]):
        found = [values[title].get(name) for title in reversed(titles)]
        chart.add(name, [statistics.median(numbers) if numbers else None for numbers in found])
    text: str = chart.render(is_unicode=True)
    return text + "\n"
