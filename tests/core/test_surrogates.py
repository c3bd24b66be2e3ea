"""Half an emoji per chunk, and halves that stay alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.surrogates import Mender, mended, whole_text


def test_halves_meet_in_the_same_text() -> None:
    mender = Mender()
    first = mender.mend({"choices": [{"content": "a\ud83d", "reasoning": "x"}]})
    other = mender.mend({"choices": [{"reasoning": "y"}]})
    second = mender.mend({"choices": [{"content": "\ude00b"}]})
    assert [piece["choices"][0].get("content") for piece in (first, other, second)] == ["a", None, "\U0001f600b"]


def test_a_half_that_stays_alone_is_replaced() -> None:
    assert mended({"a\ude00": ["x\ud83d", 1, None]}) == {"a\ufffd": ["x\ufffd", 1, None]}


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=20))
def test_any_text_can_be_sent_afterwards(text: str) -> None:
    whole_text(text).encode()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_whole_text_stays_as_it_is(text: str) -> None:
    assert whole_text(text) == text
