"""Whole items out of fragments, for the three vendors' shapes and the odd ones."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_adapters.core.reasoning import ReasoningDetails, details_text

CLAUDE = {"format": "anthropic-claude-v1", "index": 0}


def whole(*chunks: list[Any]) -> list[dict[str, Any]]:
    details = ReasoningDetails()
    for chunk in chunks:
        details.add(chunk)
    return details.whole()


def test_anthropic_signature_comes_in_a_fragment_of_its_own() -> None:
    made = whole(
        [{"type": "reasoning.text", "text": "", "signature": "", **CLAUDE}],
        [{"type": "reasoning.text", "text": "Let me ", **CLAUDE}],
        [{"type": "reasoning.text", "text": "think", **CLAUDE}],
        [{"type": "reasoning.text", "signature": "sig", **CLAUDE}],
        [],
    )
    assert made == [{"type": "reasoning.text", "text": "Let me think", "signature": "sig", **CLAUDE}]


def test_openai_summary_and_encrypted_share_an_index_and_stay_apart() -> None:
    shape = {"format": "openai-responses-v1", "index": 0}
    encrypted = {"type": "reasoning.encrypted", "data": "opaque", "id": "rs_1", **shape}
    made = whole(
        [{"type": "reasoning.summary", "summary": "**A", **shape}],
        [{"type": "reasoning.summary", "summary": "**", **shape}],
        [encrypted],
    )
    assert made == [{"type": "reasoning.summary", "summary": "**A**", **shape}, encrypted]


def test_gemini_text_and_encrypted_share_an_index_and_stay_apart() -> None:
    shape = {"format": "google-gemini-v1", "index": 0}
    encrypted = {"type": "reasoning.encrypted", "data": "thought", "id": "tool_1", **shape}
    made = whole([{"type": "reasoning.text", "text": "Hm", **shape}], [encrypted], [encrypted])
    assert made == [{"type": "reasoning.text", "text": "Hm", **shape}, encrypted, encrypted]


def test_text_after_a_signature_is_a_block_of_its_own() -> None:
    first = {"type": "reasoning.text", "text": "a", "signature": "s1", **CLAUDE}
    second = {"type": "reasoning.text", "text": "b", "signature": "s2", **CLAUDE}
    assert whole([first], [second]) == [first, second]


def test_two_ids_are_two_items() -> None:
    items = [{"type": "reasoning.summary", "summary": "a", "id": "x", "index": 0}]
    other = [{"type": "reasoning.summary", "summary": "b", "id": "y", "index": 0}]
    assert whole(items, other) == [*items, *other]


def test_without_an_index_only_the_item_before_goes_on() -> None:
    text, encrypted = {"type": "reasoning.text", "text": "a"}, {"type": "reasoning.encrypted", "data": "d"}
    assert whole([text], [{"type": "reasoning.text", "text": "b"}]) == [{"type": "reasoning.text", "text": "ab"}]
    assert whole([text], [encrypted], [text]) == [text, encrypted, text]


@pytest.mark.parametrize(
    "odd",
    [{"type": "reasoning.new", "x": [1]}, {"type": 7}, {"type": [], "index": 0}, {}, {"data": None, "format": None}],
)
def test_unknown_items_are_kept_as_they_are(odd: dict[str, Any]) -> None:
    assert whole([odd], [odd, "junk", None]) == [odd, odd]


def test_fragments_are_not_mutated_and_items_are_fresh() -> None:
    fragment = {"type": "reasoning.text", "text": "a", "index": 0}
    details = ReasoningDetails()
    details.add([fragment])
    details.whole()[0]["text"] = "changed"
    details.add([{"type": "reasoning.text", "text": "b", "index": 0}])
    assert fragment["text"] == "a"
    assert details.whole()[0]["text"] == "ab"


def test_opaque_items_have_no_text() -> None:
    items = [{"type": "reasoning.encrypted", "data": "x"}, {"summary": "a"}, {"text": "b"}, {"text": None}]
    assert details_text(items) == "ab"
