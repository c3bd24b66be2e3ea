"""``openrouter-adapters gateway``: the local OpenRouter, in this process, until Ctrl-C."""

from __future__ import annotations

import runpy
import sys
from typing import Annotated

import typer

_MODULE = "openrouter_adapters.gateway"

Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")]
Key = Annotated[str | None, typer.Option(metavar="KEY", help="The only key that is let in. [any]", show_default=False)]


def gateway(port: Port = 0, key: Key = None) -> None:
    """Serve a local OpenRouter for demos and tests until Ctrl-C: no network, no cost."""
    # The gateway is started by its name, as from a shell: nothing of the library imports it.
    own, sys.argv = sys.argv, [_MODULE, f"--port={port}", *([f"--key={key}"] if key is not None else [])]
    try:
        runpy.run_module(_MODULE, run_name="__main__")
    finally:
        sys.argv = own
