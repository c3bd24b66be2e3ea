"""What is right: the answer to the call of each number, known to the gateway that gives it and to whoever asked."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

WORDS = ("alpha", "bravo", "café", "delta", "echo", "naïve", "golf", "日本", "india", "juliet", "🎉", "lima")
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "note", "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}}},
}


@dataclass(frozen=True)
class Answer:
    """The answer to one call.

    Attributes:
        text: its text, which no other call's answer begins with.
        reasoning: the thinking before it; "" for none.
        arguments: of the tool call in it; None when there is none.
        delay: seconds between its pieces.
    """

    text: str
    reasoning: str
    arguments: dict[str, Any] | None
    delay: float


def question(number: int) -> str:
    return f"Call {number}, please."


def number_in(asked: str) -> int:
    """The number of the call that asks this."""
    return int(re.findall(r"\d+", asked)[0])


def answer(number: int) -> Answer:
    """The answer that the call of this number must get."""
    rng = random.Random(f"answer {number}")
    words = " ".join(rng.choices(WORDS, k=rng.randrange(3, 40)))
    return Answer(
        text=f"Answer {number}. {words}",
        reasoning=f"Thinking about {number}." if number % 4 == 0 else "",
        arguments={"number": number, "words": words} if number % 5 == 0 else None,
        delay=rng.choice((0.0, 0.0, 0.002, 0.01)),
    )
