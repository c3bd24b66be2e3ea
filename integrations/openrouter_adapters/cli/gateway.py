"""``openrouter-adapters gateway``: the local OpenRouter, in this process, until Ctrl-C."""

from __future__ import annotations

import runpy
import sys
from typing import Annotated

import typer

_MODULE = "openrouter_adapters.gateway"
_COMMAND = "openrouter-adapters gateway"

Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")]
Key = Annotated[str | None, typer.Option(metavar="KEY", help="The only key that is let in. [any]", show_default=False)]
ModelPath = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="A GGUF file, of the model that answers. [SmolLM2, if installed]", show_default=False
    ),
]
Echo = Annotated[bool, typer.Option("--echo", help="Let an echo answer, and no model.")]
Down = Annotated[
    list[str] | None, typer.Option(metavar="PROVIDER", help="Let a provider fail. Repeatable.", show_default=False)
]
Fault = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Let each request go wrong. Repeatable: they take turns.", show_default=False),
]


def gateway(
    port: Port = 0,
    key: Key = None,
    model_path: ModelPath = None,
    echo: Echo = False,
    down: Down = None,
    fault: Fault = None,
) -> None:
    """Serve a local OpenRouter for demos and tests until Ctrl-C: no network, no cost."""
    given: dict[str, list[str] | list[str | None]] = {
        "port": [str(port)],
        "key": [key],
        "model-path": [model_path],
        "down": down or [],
        "fault": fault or [],
    }
    named = [f"--{name}={value}" for name, values in given.items() for value in values if value is not None]
    # The gateway is started by its name, as from a shell: nothing of the library imports it.
    own, sys.argv = sys.argv, [_COMMAND, *named, *(["--echo"] if echo else [])]
    try:
        runpy.run_module(_MODULE, run_name="__main__")
    finally:
        sys.argv = own
