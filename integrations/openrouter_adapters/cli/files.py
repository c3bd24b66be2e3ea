"""JSON and CSV for programs, money as text in both; and files known to be writable before money is spent."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from openrouter_adapters.cli.words import exact

STDOUT = Path("-")

# How a spreadsheet's formula may begin; an apostrophe before it makes it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_json(found: Any) -> str:
    """Lists and objects, in ASCII. Money (`Decimal`) is text: most programs would make a number inexact."""
    return json.dumps(found, indent=2, default=_plain) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return exact(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line of names, then one for each row; what is unknown is empty. A text never is a spreadsheet's formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(list(rows[0]) if rows else [])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
    return value


def check_writable(*paths: Path | None) -> None:
    """Whether files can be written, before there is something to be written.

    Raises:
        ValueError: two are the same.
        OSError: a folder is missing or must not be written to, or there is a folder of that name.
    """
    given = [path for path in paths if path is not None]
    if len(set(given)) < len(given):
        raise ValueError("two kinds of output cannot go to the same place")
    for path in given:
        if path != STDOUT and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
            raise OSError(f"{path} cannot be written: is there such a folder, and is it yours?")


def write(path: Path, text: str) -> None:
    """Write a file, or to stdout; in UTF-8, whatever a terminal's encoding is.

    Raises:
        OSError: it cannot be written.
    """
    data = text.encode("utf-8", "replace")
    if path == STDOUT:
        typer.echo(data, nl=False)
    else:
        path.write_bytes(data)
