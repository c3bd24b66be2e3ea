"""The command, run in this process as from a shell."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner, Result

from openrouter_adapters.cli.app import app


def run(*arguments: Any, columns: int | None = None, code: int = 0, **environment: str) -> Result:
    """What a command line came to.

    Args:
        *arguments: the words after the command's name.
        columns: the width of the terminal; None: the output goes into a pipe.
        code: the exit code that is expected.
        **environment: variables.
    """
    width = None if columns is None else str(columns)
    result = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": width, **environment})
    told = f"{result.exit_code} {result.exception!r}\n{result.stdout}\n{result.stderr}"
    assert result.exception is None or isinstance(result.exception, SystemExit), told
    assert result.exit_code == code, told
    return result
