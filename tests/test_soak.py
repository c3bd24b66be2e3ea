"""The soak test in small, and that it sees what must not be."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from openrouter_adapters import APITimeoutError, ProviderError, RateLimitError
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.gateway import FAULTS

from .soak.answers import answer
from .soak.judging import ERRORS, HARMLESS, STATUSES, Got, Left, complaint
from .soak.ledger import Ledger
from .soak.plan import plan

ROOT = Path(__file__).resolve().parents[1]
CALL = replace(
    plan(1, 1), adapter="llamaindex", fault="", details={}, times=None, max_retries=1, leaves="", streams=True
)
RIGHT = Got(answer(1).text, answer(1).reasoning, [], 10, 0.1)


def test_a_small_soak_is_good() -> None:
    command = [sys.executable, "-m", "tests.soak", "--calls", "150", "--concurrent", "30", "--seed", "4"]
    path = os.pathsep.join([str(ROOT / "integrations"), str(ROOT)])
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "good"


def test_a_call_is_made_of_seed_and_number() -> None:
    assert plan(7, 12) == plan(7, 12) != plan(8, 12)


def test_every_fault_is_judged() -> None:
    assert {*ERRORS, *STATUSES, *HARMLESS, "no_finish"} == {*FAULTS}


def test_the_right_answer_is_right() -> None:
    assert complaint(CALL, RIGHT) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, text=answer(2).text),
        replace(RIGHT, text=RIGHT.text[:-1]),
        replace(RIGHT, arguments=[{"number": 1}]),
        replace(RIGHT, cost=0.0),
        Left(answer(2).text[:5]),
        KeyError("choices"),
        ProviderError("for no reason"),
    ],
    ids=str,
)
def test_a_wrong_outcome_is_seen(wrong: Got | Left | BaseException) -> None:
    assert complaint(CALL, wrong)
    ledger = Ledger()
    ledger.begin(CALL)
    ledger.end(CALL, wrong)
    assert ledger.unexpected == 1 and ledger.open() == []


def test_an_error_must_suit_its_fault() -> None:
    down = replace(CALL, fault="upstream_502")
    assert complaint(down, ProviderError("down")) == ""
    assert complaint(down, RateLimitError("busy"))
    assert complaint(down, RIGHT), "it never goes away"
    assert complaint(replace(down, times=1), RIGHT) == ""
    assert complaint(replace(down, times=1), ProviderError("down")), "the retry had an answer"
    assert complaint(replace(down, adapter="langchain"), ProviderError("down")), "it is not LangChain's own"


def test_a_partial_text_must_be_the_beginning_of_the_right_one() -> None:
    silent = replace(CALL, fault="silence")
    assert complaint(silent, APITimeoutError("late", partial=Reply(text=RIGHT.text[:4]))) == ""
    assert complaint(silent, APITimeoutError("late", partial=Reply(text=answer(2).text)))
