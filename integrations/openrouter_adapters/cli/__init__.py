"""The command ``openrouter-adapters``, and what of it is of use in Python.

`compare_models` asks several models the same and tells what each said and took; `comparison_page` makes an HTML page of
that. Importing this loads no framework, and neither typer nor rich: they belong to the command, which comes with
``pip install 'openrouter-adapters[cli]'``, as `comparison_page` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openrouter_adapters.cli.comparison import Comparison, acompare_models, compare_models

if TYPE_CHECKING:
    from openrouter_adapters.cli.answers_page import comparison_page

__all__ = ["Comparison", "acompare_models", "compare_models", "comparison_page", "main"]

_OF_THE_EXTRA = ("typer", "rich", "jinja2", "markupsafe", "pygal")
_HINT = "openrouter-adapters needs {}: pip install 'openrouter-adapters[cli]'"


def main() -> None:
    """Run the command; it ends the process.

    Raises:
        SystemExit: always, with the command's exit code.
    """
    try:
        from openrouter_adapters.cli.app import app

        app()
    except ModuleNotFoundError as error:
        if not (missing := _missing(error)):
            raise
        raise SystemExit(_HINT.format(missing)) from None
    except KeyboardInterrupt:  # before there was a command to be ended
        raise SystemExit(130) from None


def _missing(error: ModuleNotFoundError) -> str | None:
    """The package of the extra `cli` that is not installed."""
    name = (error.name or "").partition(".")[0]
    return name if name in _OF_THE_EXTRA else None


def __getattr__(name: str) -> Any:
    if name != "comparison_page":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from openrouter_adapters.cli.answers_page import comparison_page
    except ModuleNotFoundError as error:
        if not (missing := _missing(error)):
            raise
        raise ImportError(_HINT.format(missing)) from error
    return comparison_page


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
