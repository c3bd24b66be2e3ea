"""Models are cheap: what costs something is opened with the first request."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from openrouter_adapters import langchain, llamaindex

OPEN_FILES = Path("/proc/self/fd")
CLASSES: list[Any] = [
    langchain.ChatOpenRouter,
    langchain.OpenRouterEmbeddings,
    langchain.OpenRouterRerank,
    llamaindex.OpenRouter,
    llamaindex.OpenRouterEmbedding,
    llamaindex.OpenRouterRerank,
]


def sockets() -> set[str]:
    links = OPEN_FILES.iterdir() if OPEN_FILES.is_dir() else ()
    return {target for link in links if os.path.islink(link) and (target := os.readlink(link)).startswith("socket")}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__.split('.')[1]}.{cls.__name__}")
def test_a_thousand_models_open_no_socket_and_start_no_thread(cls: Any) -> None:
    threads, before = set(threading.enumerate()), sockets()
    models = [cls(model="openai/gpt-4o-mini", api_key="k") for _ in range(1000)]
    assert sockets() <= before and set(threading.enumerate()) <= threads and len(models) == 1000
