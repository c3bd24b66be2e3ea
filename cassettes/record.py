"""Make the cassettes anew: against the local gateway, or live when OPENROUTER_API_KEY is set.

Run it by ``make record``.
"""

from __future__ import annotations

import os
from typing import Any

from cassettes.conversations import ASK, CONVERSATIONS, MODELS, RECORDINGS
from cassettes.tape import path_of, recorder
from openrouter_adapters.gateway import LocalGateway

CALL = {"id": "call_local", "name": "weather", "arguments": {"city": "Paris"}}
TALE = (
    "There was a cat who lived on the roof of a library. Every night it walked along the gutter, looked into each "
    "window and counted the lamps that were still lit. When only one was left, it sat down before it and waited, for "
    "behind it somebody was reading aloud. One night the lamp stayed dark. The cat went in through the skylight, found "
    "the book lying open on the chair, and slept on it until morning, so that the page would not be lost."
)
# What the gateway's models say; they route, stream, price and refuse by themselves.
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "plain": [{"text": "Hello!"}],
    "tools": [{"tool_calls": [CALL]}, {"text": "It is sunny in Paris."}],
    "reasoning": [{"text": "391", "reasoning": "17 * 23 = 391"}, {"text": "782", "reasoning": "2 * 391 = 782"}],
    "fallback": [{"text": "Hello!"}],
    "error": [],
    "story": [{"text": TALE}],
}


def record(adapter: str, conversation: str, form: str, connection: dict[str, Any], source: str, path: Any) -> None:
    """Hold one conversation and write it down."""

    def make(**options: Any) -> Any:
        return MODELS[adapter](**options, **connection)

    with recorder(source, "all").use_cassette(str(path)):
        CONVERSATIONS[adapter, conversation](make, ASK[adapter, form])


def record_locally(gateway: LocalGateway, adapter: str, conversation: str, form: str, path: Any) -> None:
    """Record from a gateway."""
    gateway.reset()
    for reply in SCRIPTS[conversation]:
        gateway.reply(**reply, comments=1, chunk_size=4)
    connection = {"api_key": "local", "base_url": gateway.base_url, "max_retries": 0}
    record(adapter, conversation, form, connection, "the local gateway", path)


def main() -> None:
    """Record all of them."""
    live = bool(os.environ.get("OPENROUTER_API_KEY"))
    with LocalGateway() as gateway:
        for recording in RECORDINGS:
            path = path_of(*recording)
            if live:  # the bytes themselves, not compressed
                record(*recording, {"default_headers": {"accept-encoding": "identity"}}, "OpenRouter", path)
            else:
                record_locally(gateway, *recording, path)
            print(path.name, "from", "OpenRouter" if live else "the local gateway")


if __name__ == "__main__":
    main()
