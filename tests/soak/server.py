"""The gateway's process: answers by number, faults as `user` and header ask for them, and a report at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import partial
from types import TracebackType
from typing import Any

from openrouter_adapters.gateway import FAULTS, Exchange, LocalGateway, Reply

from .answers import TOOL, answer, number_in
from .plan import QUICK


def respond(body: dict[str, Any]) -> Reply:
    """The answer to the call that asks."""
    right = answer(number_in(str(body["messages"][-1]["content"])))
    calls = [(TOOL["function"]["name"], right.arguments)] if right.arguments else []
    return Reply(text=right.text, reasoning=right.reasoning or None, tool_calls=calls, delay=right.delay)


class Script:
    """The faults that pass: `user` is ``number:fault:times:max_retries``, and each call's tries are counted."""

    def __init__(self, gateway: LocalGateway) -> None:
        self.injected: Counter[str] = Counter()
        self._tries: Counter[str] = Counter()
        for name in FAULTS:
            gateway.fault(name, times=None, match=partial(self.strikes, name), **QUICK.get(name, {}))

    def strikes(self, name: str, body: dict[str, Any]) -> bool:
        """Whether this try goes wrong in this way."""
        number, fault, times, _ = body["user"].split(":")
        if fault != name:
            return False
        self._tries[number] += 1
        struck = self._tries[number] <= int(times)
        self.injected[name] += struck
        return struck


def report(exchanges: list[Exchange], injected: Counter[str]) -> dict[str, Any]:
    """What the gateway saw: requests, faults by name, calls that asked too often, and exchanges still open."""
    tries = Counter(exchange.body["user"] for exchange in exchanges)
    named = Counter(fault.partition(";")[0] for e in exchanges if (fault := e.headers.get("x-gateway-fault")))
    return {
        "requests": len(exchanges),
        "faults": injected + named,
        "too_often": [user for user, count in tries.items() if count > int(user.rpartition(":")[2]) + 1],
        "open": [exchange.body["user"] for exchange in exchanges if not exchange.done],
        "left": sum(exchange.client_left for exchange in exchanges),
    }


def serve() -> None:
    """Serve until the standard input ends; each line of it asks for a report."""
    with LocalGateway(respond=respond) as gateway:
        script = Script(gateway)
        print(gateway.base_url, flush=True)
        for _ in sys.stdin:
            print(json.dumps(report(gateway.requests, script.injected)), flush=True)


class GatewayProcess:
    """The gateway in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.base_url = self._line().strip()
        if not self.base_url:
            raise RuntimeError("the gateway did not start")

    def __enter__(self) -> GatewayProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process as process:
            try:
                process.communicate(timeout=10.0)
            except subprocess.TimeoutExpired:
                process.kill()

    def report(self) -> dict[str, Any]:
        """What the gateway saw so far."""
        assert self._process.stdin
        print("report", file=self._process.stdin, flush=True)
        said: dict[str, Any] = json.loads(self._line())
        return said

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()
