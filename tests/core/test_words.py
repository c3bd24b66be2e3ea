"""The words in what a server says: found wherever they are, and shown so that they can be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core import errors
from openrouter_adapters.core.trouble import Trouble, from_wire
from openrouter_adapters.core.words import in_short, plain, words

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["message", "error", "x"]), inner),
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slow down", "slow down"),
        ('{"error": {"message": "The server had an error", "type": "server_error"}}', "The server had an error"),
        ('[{"detail": "down"}]', "down"),
        ('{"error": ', '{"error": '),
        ('{"code": 1}', '{"code": 1}'),
        ("<html><head><title>Bad</title></head></html>", "an HTML page: Bad"),
        ("<HTML><style>p{}</style><h1 class='a'>So <b>it</b>\n is</h1>", "an HTML page: So it is"),
    ],
)
def test_an_upstream_is_quoted_in_its_words(text: str, said: str) -> None:
    assert plain(text) == said


@given(said=JSON)
def test_whatever_is_said_there_are_words_or_none(said: Any) -> None:
    found = words(said)
    assert found is None or found.strip()


@given(text=st.text())
def test_what_is_shown_is_short_and_tame(text: str) -> None:
    shown = in_short(text * 50)
    assert len(shown) < 2100 and all(letter.isprintable() or letter == "\n" for letter in shown)


def test_what_stands_in_the_way_is_said() -> None:
    filtered = {"excluded_by": ["max_price"], "constraint": {"field": "provider.max_price", "detail": "too low"}}
    made = from_wire(Trouble({"code": 404, "message": "None left", "availability": filtered}, status=404))
    assert "Excluded by: max_price. provider.max_price: too low." in str(made)
    spent = {"limit_source": "openrouter_guardrail_budget", "resets_at": "2026-12-01T00:00:00Z"}
    made = from_wire(Trouble({"code": 403, "message": "Spent", "metadata": spent}, status=403))
    assert str(made) == "403: Spent. Limit: openrouter_guardrail_budget, until 2026-12-01T00:00:00Z."


def test_who_failed_before_is_said() -> None:
    before = [{"provider": "Azure", "code": 429}, {"provider": "OpenAI"}, {"code": 1}]
    made = from_wire(Trouble({"code": 502, "message": "x", "metadata": {"previous_errors": before}}))
    assert "Failed before: Azure (429), OpenAI." in str(made)


def test_what_passes_by_itself_has_no_remedy() -> None:
    for cls in (errors.InsufficientCreditsError, errors.NoEndpointsError):
        assert cls.remedy in str(cls("x")) and cls.remedy not in str(cls("x", retryable=True))
