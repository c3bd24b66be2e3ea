"""Make the bundled model catalogue from saved ``GET /models`` answers, or from recordings that hold some.

    python tools/make_catalog.py FILE... [--as-of 2026-08-31] [--source "where they are from"]

Later files win where two list the same model.
"""

import argparse
import dataclasses
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openrouter_adapters.core.catalog import Model

TARGET = Path(__file__).resolve().parents[1] / "integrations/openrouter_adapters/core/catalog_snapshot.py"
HEADER = '''"""The bundled model catalogue. Made by ``tools/make_catalog.py``: do not edit.

{count} models, as of {as_of}, from {source}.
It is a start, not the whole of OpenRouter: an explicit refresh brings the rest.
A row is id, canonical slug, name, context length, first provider's context length and longest answer (tokens),
prices (USD), input modalities, output modalities, supported parameters, and reasoning (mandatory, on by default,
default effort, efforts, takes a token budget). None is unknown.
"""

from typing import Any

ROWS: tuple[tuple[Any, ...], ...] = (
'''


def listings(recording: Any) -> Iterator[Any]:
    """The ``/models`` bodies in a file: the file itself, or the answers that a recording holds."""
    if not isinstance(recording, dict) or "interactions" not in recording:
        yield recording
        return
    for exchange in recording["interactions"]:
        request, response = exchange["request"], exchange["response"]
        path = str(request["path"]).partition("?")[0]
        if (request["method"], path.rpartition("/")[2], response["status"]) == ("GET", "models", 200):
            yield response["body"]


def models(recordings: list[Any]) -> list[Model]:
    """Every model that is listed anywhere, by id."""
    found: dict[str, Model] = {}
    for listing in (listing for recording in recordings for listing in listings(recording)):
        items = listing["data"] if isinstance(listing, dict) else listing
        found.update((model.id, model) for model in map(Model.from_wire, items) if model.id)
    return [found[slug] for slug in sorted(found)]


def row(model: Model) -> tuple[Any, ...]:
    """The model as a row of the snapshot; `Model.from_row` reads it."""
    limits = (model.context_length, model.provider_context_length, model.max_completion_tokens)
    prices = tuple((unit, format(price, "f")) for unit, price in model.prices.items())
    abilities = (model.input_modalities, model.output_modalities, model.supported_parameters)
    reasoning = model.reasoning and dataclasses.astuple(model.reasoning)
    return (model.id, model.canonical_slug, model.name, *limits, prices, *abilities, reasoning)


def module(found: list[Model], as_of: str, source: str) -> str:
    """The snapshot's whole text, one model per line."""
    header = HEADER.format(count=len(found), as_of=as_of, source=source)
    return header + "".join(f"    {row(model)!r},\n" for model in found) + ")\n"


def main() -> None:
    """Read the files named on the command line, and write the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--as-of", default=datetime.date.today().isoformat())
    parser.add_argument("--source", default="GET /models")
    arguments = parser.parse_args()
    found = models([json.loads(path.read_bytes()) for path in arguments.files])
    TARGET.write_text(module(found, arguments.as_of, arguments.source), encoding="utf-8")
    print(f"{len(found)} models in {TARGET.name}")


if __name__ == "__main__":
    main()
