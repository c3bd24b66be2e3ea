"""Bar charts as SVG that stands in a page: no script, no address, its colours and fonts those of the page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pygal
from pygal.style import Style

from openrouter_adapters.cli.words import printable

# pygal puts a finder of its old plugins into everybody's imports, of which Python 3.11 warns again and again.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

Number = int | float | Decimal
Bars = Mapping[str, Number | None]

# In the chart's own pixels.
_WIDTH, _MARGIN, _FONT = 420, 4, 13
_BAR, _GAP, _LEGEND = 22, 10, 26
_CHARACTER = 0.6 * _FONT
_LONGEST_LABEL = 26
# What pygal adds for a script of its own; it is no part of the picture.
_DROPPED = ("script", "title", "style", "desc", "defs")
_DROPPED_CLASSES = ("tooltip-overlay", "titles")


def bar_chart(series: Mapping[str, Bars], shown: Callable[[Any], str], spoken: str) -> str:
    """A chart of horizontal bars, each with its number at its end.

    Args:
        series: the name of each series -> its bars by their names; None has no bar. Several series stand side by side.
        shown: how a number is written.
        spoken: what the chart is, for those who cannot see it.
    """
    names = list(dict.fromkeys(name for bars in series.values() for name in bars))
    chart = _chart(len(names), len(series))
    chart.range = (0, _end_of_axis(series, shown, names))
    chart.x_labels = [_label(name) for name in reversed(names)]  # the first name is at the top
    for name, bars in series.items():
        chart.add(printable(name), [_bar(bars.get(one), shown) for one in reversed(names)])
    chart.add_xml_filter(lambda root: _cleaned(root, spoken))
    text: str = chart.render(is_unicode=True, disable_xml_declaration=True)
    return text


def _chart(rows: int, series: int) -> Any:
    several = series > 1
    return pygal.HorizontalBar(
        width=_WIDTH,
        height=2 * _MARGIN + (_BAR * series + _GAP) * rows + (_LEGEND if several else 0),
        style=Style(label_font_size=_FONT, major_label_font_size=_FONT, value_font_size=_FONT, legend_font_size=_FONT),
        css=[],
        js=[],
        margin=_MARGIN,
        spacing=6,
        print_values=True,
        print_values_position="top",
        show_legend=several,
        legend_at_bottom=True,
        show_x_labels=False,
        show_y_guides=False,
        rounded_bars=3,
    )


def _end_of_axis(series: Mapping[str, Bars], shown: Callable[[Any], str], names: list[str]) -> float:
    """So much more than the largest number that what is written after its bar has room."""
    values = [value for bars in series.values() for value in bars.values() if value is not None]
    room = _WIDTH - 2 * _MARGIN - _CHARACTER * max((len(_label(name)) for name in names), default=0)
    written = _CHARACTER * max((len(shown(value)) for value in values), default=0) + _FONT
    return float(max(values, default=0)) / max(1 - written / room, 0.2) or 1.0


def _bar(value: Number | None, shown: Callable[[Any], str]) -> Any:
    return None if value is None else {"value": float(value), "formatter": lambda _: printable(shown(value))}


def _label(name: str) -> str:
    """A name that fits: of a long slug the model, of a long model both ends, which tell variants apart."""
    text = printable(name)
    short = text if len(text) <= _LONGEST_LABEL else text.rpartition("/")[2]
    half = _LONGEST_LABEL // 2
    return short if len(short) <= _LONGEST_LABEL else f"{short[:half]}\N{HORIZONTAL ELLIPSIS}{short[1 - half :]}"


def _cleaned(root: Any, spoken: str) -> Any:
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in _DROPPED or _is_for_scripts(child):
                parent.remove(child)
    root.set("role", "img")
    root.set("aria-label", printable(spoken))
    return root


def _is_for_scripts(node: Any) -> bool:
    return bool(set(node.get("class", "").split()) & set(_DROPPED_CLASSES))
