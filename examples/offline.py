"""How the examples reach OpenRouter: over the network with a key, through a local gateway without one."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from openrouter_adapters.gateway import LocalGateway

DOWN = ["openai", "azure"]
ANSWERS = {  # what the gateway says when it is asked this
    "What is a lighthouse for?": "It shows ships where the coast begins, so that they keep clear of it at night.",
    "Who lights the lamp?": "Marta lights it at dusk; when she is away, her brother Ivo rows over and does it.",
}


def quickstart(gateway: LocalGateway) -> str:
    """Answers for both quickstarts, at providers of which two are down."""
    for question, answer in ANSWERS.items():
        gateway.reply(answer, match=question, times=None, delay=0.04)
    for provider in DOWN:
        gateway.down(provider)
    return f"a local gateway gives scripted answers; its providers {' and '.join(DOWN)} are down."


@contextmanager
def openrouter(script: Callable[[LocalGateway], str] = quickstart) -> Iterator[dict[str, Any]]:
    """The arguments that say where to connect; everything else is the same either way.

    Args:
        script: prepares the gateway, and says in words how.
    """
    if key := os.environ.get("OPENROUTER_API_KEY"):
        at = os.environ.get("OPENROUTER_BASE_URL", "OpenRouter")
        print(f"Live: {at} answers, and charges the account of OPENROUTER_API_KEY.\n")
        yield {"api_key": key}
        return
    with LocalGateway() as gateway:
        print(f"Offline: {script(gateway)}\n")
        yield {"base_url": gateway.base_url, "api_key": "any"}
