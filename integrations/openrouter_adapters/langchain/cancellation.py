"""A call that is cancelled: LangChain tells nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.callbacks import BaseRunManager


@contextmanager
def cancellation_told(run: BaseRunManager | None) -> Iterator[None]:
    """Around what ``ainvoke`` awaits: tells our handlers that it was cancelled."""
    try:
        yield
    except asyncio.CancelledError as error:
        from openrouter_adapters.langchain.costs import OpenRouterCostHandler

        if run:
            for handler in run.handlers:
                if isinstance(handler, OpenRouterCostHandler):
                    handler.on_llm_error(error, run_id=run.run_id)
        raise
