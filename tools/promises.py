"""What the package promises where only some of its extras are installed: run by `tools/matrix.py` in each environment.

Prints what became of each promise as JSON: "kept", or the error that a user sees, which must name the remedy. It asks
the gateway that `OPENROUTER_BASE_URL` names.
"""

import asyncio
import importlib.util
import json
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import openrouter_adapters

MODEL = "openai/gpt-5-mini"


def base() -> None:
    """All that is at the top, and a ledger in a file, which needs nothing."""
    assert all(getattr(openrouter_adapters, name) is not None for name in openrouter_adapters.__all__)
    with tempfile.TemporaryDirectory() as folder, openrouter_adapters.Ledger(Path(folder) / "costs.db") as ledger:
        assert list(ledger.records()) == []


def langchain() -> None:
    from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank

    with openrouter_adapters.track_costs() as costs:
        assert ChatOpenRouter(model=MODEL).invoke("Hello").text == "You said: Hello"
        assert OpenRouterEmbeddings(model="openai/text-embedding-3-small").embed_query("Hello")
        assert OpenRouterRerank(model="cohere/rerank-v3.5").rerank("Hello", ["Hello", "no"], top_n=1).results
    assert costs.calls == 3 and costs.total > 0


def llamaindex() -> None:
    from openrouter_adapters.llamaindex import OpenRouter, OpenRouterEmbedding, OpenRouterRerank

    with openrouter_adapters.track_costs() as costs:
        assert OpenRouter(model=MODEL).complete("Hello").text == "You said: Hello"
        assert OpenRouterEmbedding(model="openai/text-embedding-3-small").get_query_embedding("Hello")
        assert OpenRouterRerank(model="cohere/rerank-v3.5").rerank("Hello", ["Hello", "no"], top_n=1).results
    assert costs.calls == 3 and costs.total > 0


def gateway() -> None:
    from openrouter_adapters.gateway import LocalGateway

    with LocalGateway() as own, urllib.request.urlopen(f"{own.base_url}/models", timeout=30) as answer:
        assert json.load(answer)["data"]


def command() -> None:
    """The command that the wheel installs, and what it does without a framework."""
    _command("--version")
    assert MODEL in _command("models", "gpt-5-mini")


def served() -> None:
    """``openrouter-adapters gateway``: it loads the server, and then says that the port is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = _command("gateway", f"--port={taken.getsockname()[1]}", expected=1)
    if "cannot use port" not in said:
        raise ImportError(said)


def page() -> None:
    from openrouter_adapters.cli import comparison_page

    assert callable(comparison_page)


def compare() -> None:
    from openrouter_adapters.cli import compare_models

    [comparison] = compare_models("Hello", [MODEL])
    assert comparison.text == "You said: Hello"


def aiohttp() -> None:
    """The transport, under a framework where there is one."""
    from openrouter_adapters.core.connections import shared

    async def made() -> None:
        await shared.for_loop(shared, "aiohttp")

    async def asked() -> None:
        from openrouter_adapters.langchain import ChatOpenRouter

        async with ChatOpenRouter(model=MODEL, http_async_client="aiohttp") as model:
            assert (await model.ainvoke("Hello")).text == "You said: Hello"

    asyncio.run(asked() if importlib.util.find_spec("langchain_core") else made())


def ledger() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        openrouter_adapters.Ledger(f"sqlite:///{folder}/costs.db") as database,
    ):
        assert list(database.records()) == []


def otel() -> None:
    with openrouter_adapters.trace_calls() as tracing:
        assert tracing


def local() -> None:
    """The model that a file holds; without the file, too, it is said what to install."""
    from openrouter_adapters.gateway import LocalModel

    with LocalModel(max_tokens=1) as model:
        model.load()


PROMISES: dict[str, Callable[[], None]] = {
    promise.__name__: promise
    for promise in (base, langchain, llamaindex, gateway, command, served, page, compare, aiohttp, ledger, otel, local)
}


def _command(*arguments: str, expected: int = 0) -> str:
    script = Path(sys.executable).with_name("openrouter-adapters")
    ended = subprocess.run([script, *arguments], capture_output=True, text=True, timeout=120)
    if ended.returncode != expected:
        raise ImportError(ended.stderr)
    return ended.stdout + ended.stderr


def outcome(promise: Callable[[], None]) -> str:
    try:
        promise()
    except (ImportError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return "kept"


if __name__ == "__main__":
    print(json.dumps({name: outcome(promise) for name, promise in PROMISES.items()}))
