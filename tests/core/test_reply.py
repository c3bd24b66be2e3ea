"""Reading a whole answer, and telling a fallback from a dated name."""

from __future__ import annotations

import pytest

from openrouter_adapters.core.reply import Reply, fallback_used

HAIKU, DATED = "anthropic/claude-haiku-4.5", "anthropic/claude-4.5-haiku-20251001"


@pytest.mark.parametrize(
    ("asked", "served", "used"),
    [
        ([HAIKU], HAIKU, False),
        ([HAIKU], DATED, False),
        ([f"{HAIKU}:nitro", "x-ai/grok-4"], DATED, False),
        (["google/gemini-2.0-flash-exp:free", "x-ai/grok-4"], "x-ai/grok-4", True),
        (["x-ai/grok-4", HAIKU], DATED, True),
        (["openai/gpt-4o", "openai/gpt-4o-mini"], "openai/gpt-4o-mini", True),
        (["openai/gpt-4o", "openai/gpt-4o-2024-05-13"], "openai/gpt-4o-2024-05-13", True),
        # It cannot be told: a router or preset chose, nothing was asked for, nobody says who answered.
        (["openrouter/auto", "a/b"], "c/d", None),
        (["@preset/mine"], "c/d", None),
        (["a/b"], "c/d", None),
        ([], "c/d", None),
        (["a/b"], None, None),
    ],
)
def test_whether_a_fallback_answered(asked: list[str], served: str | None, used: bool | None) -> None:
    assert fallback_used(asked, served) is used


def test_metadata_holds_what_is_known_and_nothing_else() -> None:
    reply = Reply.from_body(
        {
            "id": "gen-1",
            "model": DATED,
            "provider": "Anthropic",
            "service_tier": None,
            "choices": [{"message": {"content": "x"}, "finish_reason": "stop", "native_finish_reason": None}],
            "usage": {"cost": 0, "is_byok": False},
        }
    )
    assert reply.metadata([HAIKU]) == {
        "requested_model": HAIKU,
        "fallback_used": False,
        "provider": "Anthropic",
        "finish_reason": "stop",
        "id": "gen-1",
        "cost": 0.0,
        "is_byok": False,
        "total_cost": 0.0,
    }


def test_content_may_be_a_list_of_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, "junk", {"type": "text", "text": "b"}]
    assert Reply.from_body({"choices": [{"message": {"content": parts}}]}).text == "ab"


def test_each_choice_can_be_read() -> None:
    body = {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}
    assert [Reply.from_body(body, place).text for place in (0, 1)] == ["a", "b"]


@pytest.mark.parametrize("body", [{}, {"choices": None}, {"choices": [None]}, {"choices": [{"message": "x"}]}])
def test_a_body_without_an_answer_reads_as_empty(body: dict[str, object]) -> None:
    assert Reply.from_body(body).empty


def test_reasoning_is_read_from_wherever_it_stands() -> None:
    def reasoning(**message: object) -> str:
        return Reply.from_body({"choices": [{"message": message}]}).reasoning

    details = [{"type": "reasoning.text", "text": "d"}]
    assert reasoning(reasoning="a", reasoning_details=details) == "a"
    assert reasoning(reasoning_content="b", reasoning_details=details) == "b"
    assert reasoning(reasoning=None, reasoning_details=details) == "d"
