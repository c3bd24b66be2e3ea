"""The typer app: each command is a function in a module of its own, registered here."""

from __future__ import annotations

from typing import Annotated

import typer

from openrouter_adapters import __version__
from openrouter_adapters.cli.compare import compare
from openrouter_adapters.cli.costs import costs
from openrouter_adapters.cli.failures import Commands
from openrouter_adapters.cli.gateway import gateway
from openrouter_adapters.cli.key import key
from openrouter_adapters.cli.models import models

app: typer.Typer = typer.Typer(
    name="openrouter-adapters",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"openrouter-adapters {__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """OpenRouter from the terminal: models side by side, their prices, what your key has used, what was spent."""


app.command()(compare)
app.command()(models)
app.command()(key)
app.command()(costs)
app.command()(gateway)
