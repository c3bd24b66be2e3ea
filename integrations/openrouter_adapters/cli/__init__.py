"""The command ``openrouter-adapters``, and what of it is of use in Python.

Importing this loads neither typer nor rich: they belong to the command, which comes with
``pip install 'openrouter-adapters[cli]'``.
"""

from __future__ import annotations

__all__ = ["main"]

_OF_THE_EXTRA = ("typer", "click", "rich", "jinja2", "pygal")


def main() -> None:
    """Run the command; it ends the process.

    Raises:
        SystemExit: always, with the command's exit code.
    """
    try:
        from openrouter_adapters.cli.app import app

        app()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _OF_THE_EXTRA:
            raise
        told = f"openrouter-adapters needs {missing}: pip install 'openrouter-adapters[cli]'"
        raise SystemExit(told) from None
