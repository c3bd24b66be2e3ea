"""How a command fails: one line on stderr, and an exit code.

0: done. 1: it could not be done: OpenRouter said no, no answer came, a file cannot be written. 2: it was asked for
wrongly. 130: Ctrl-C. What nobody expected keeps its traceback.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from openrouter_adapters.cli.words import one_line

FAILED, MISUSED = 1, 2


class Commands(TyperGroup):
    """Commands whose expected errors are told in one line."""

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        _accept_everything()
        try:
            return super().invoke(ctx)
        except Exception as error:
            code = exit_code(error)
            if code is None:
                raise
            typer.echo(f"Error: {one_line(str(error))}", err=True)
            raise typer.Exit(code) from None


def _accept_everything() -> None:
    """Let nothing that was paid for fail because it cannot be shown: in a pipe of Windows, or where nobody reads."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # was closed by who started this
            setattr(sys, name, io.TextIOWrapper(io.BytesIO()))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def exit_code(error: Exception) -> int | None:
    """The exit code that an error stands for; None for one that nobody expected."""
    if isinstance(error, BrokenPipeError | ModuleNotFoundError):
        return None  # who reads the output has left; `main` names the package
    if _is_openrouters(error) or isinstance(error, OSError | ImportError):
        return FAILED
    return MISUSED if isinstance(error, ValueError) else None


def _is_openrouters(error: Exception) -> bool:
    """Whether it is an `OpenRouterError`; their module, which loads openai, is only looked at when it is loaded."""
    errors: Any = sys.modules.get("openrouter_adapters.core.errors")
    return errors is not None and isinstance(error, errors.OpenRouterError)
