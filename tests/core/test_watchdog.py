"""Alarms for blocks that take too long."""

from __future__ import annotations

import threading
import time

from openrouter_adapters.core.watchdog import Alarm


def test_an_alarm_rings_when_time_is_up() -> None:
    rung = threading.Event()
    with Alarm(0.02, rung.set):
        assert rung.wait(5)


def test_an_alarm_that_was_left_in_time_stays_silent() -> None:
    rung: list[int] = []
    for number in range(200):
        with Alarm(0.001, lambda number=number: rung.append(number)):
            time.sleep(0.0009)
        heard = len(rung)
        time.sleep(0.0005)
        assert len(rung) == heard, "it rang after it was left"


def test_the_nearest_deadline_counts() -> None:
    near, far = threading.Event(), threading.Event()
    with Alarm(60, far.set), Alarm(0.02, near.set):
        assert near.wait(5)
    assert not far.is_set()


def test_an_alarm_whose_action_fails_leaves_the_others_alone() -> None:
    def fail() -> None:
        raise RuntimeError("no socket to close")

    rung = threading.Event()
    with Alarm(0.01, fail), Alarm(0.03, rung.set):
        assert rung.wait(5)
