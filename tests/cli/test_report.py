"""What many calls took, in groups: to the last digit, and nothing counted twice."""

from __future__ import annotations

from decimal import Decimal

from openrouter_adapters.cli.report import GROUPINGS, Line, Report, cells_of
from openrouter_adapters.core.records import Costs

from .calls import CALLS, CLAUDE, EVIL, GPT, TOTAL


def test_the_sums_are_those_of_costs() -> None:
    report, costs = Report.of(iter(CALLS)), Costs(CALLS)
    assert report.total.sums == costs.sums and report.total.sums.cost == Decimal(TOTAL)
    tags = {tag: line.sums for tag, line in report.groups["tag"].items() if tag}
    assert tags == costs.by_tag
    for grouping, sums in (("model", costs.by_model), ("provider", costs.by_provider), ("day", costs.by_day)):
        found = {name: line.sums for name, line in report.groups[grouping].items()}
        assert found == sums, grouping


def test_refused_requests_and_broken_answers_are_failures_and_left_ones_are_none() -> None:
    report = Report.of(CALLS)
    assert report.total.failures == 2
    assert {name: line.failures for name, line in report.groups["model"].items()} == {GPT: 0, CLAUDE: 2, EVIL: 0}
    assert report.groups["model"][CLAUDE].sums.calls == 2 and report.groups["model"][CLAUDE].sums.unpriced_calls == 1


def test_the_dearest_is_first_and_days_are_in_their_order() -> None:
    report = Report.of(CALLS)
    assert list(report.groups["model"]) == [GPT, EVIL, CLAUDE]
    assert list(report.groups["tag"]) == ["a", "b", "=1+1", ""]
    assert list(report.groups["day"]) == ["2026-11-25", "2026-11-26"]
    assert report.groups["tag"][""].sums.calls == 2, "calls without a tag"


def test_only_the_groups_that_are_wanted() -> None:
    assert list(Report.of(CALLS, ["day"]).groups) == ["day"]
    assert list(Report.of(CALLS).groups) == list(GROUPINGS)
    assert Report.of(()).is_empty and not Report.of(CALLS[4:5]).is_empty, "a refusal is something to tell"


def test_costs_below_each_other_have_the_same_decimals() -> None:
    cells = cells_of(Report.of(CALLS).groups["model"])
    assert [cell["cost"] for _, cell in cells] == ["$0.300000010", "$0.000000001", "$0.000000000"]
    assert [(name, cell["cost"]) for name, cell in cells_of({"": Line()})] == [("no tag", "$0.00")]


def test_names_that_look_alike_keep_their_own_lines() -> None:
    assert [name for name, _ in cells_of({"\x1b": Line(), "\x07": Line()})] == ["\N{REPLACEMENT CHARACTER}"] * 2
