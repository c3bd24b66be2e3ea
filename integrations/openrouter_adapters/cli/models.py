"""``openrouter-adapters models``: the catalogue, searched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from openrouter_adapters.cli.connection import BaseUrl
from openrouter_adapters.cli.files import STDOUT, write
from openrouter_adapters.cli.files import as_json as to_json
from openrouter_adapters.cli.tables import console, note, show, table
from openrouter_adapters.cli.words import UNKNOWN, money
from openrouter_adapters.core import catalog
from openrouter_adapters.core.catalog import Model
from openrouter_adapters.core.search import Wanted, found, per_million

_ROWS = 30
_WIDE = 132  # columns of a terminal that all facts fit into
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_ABILITIES = {"tools": "tools", "reasoning": "reasoning", "structured_outputs": "structured"}
_LEGEND = "can: (t)ools, (r)easoning, (s)tructured output"


class Order(StrEnum):
    """What models are sorted by."""

    price = "price"
    context = "context"
    name = "name"


def usd(text: str) -> Decimal:
    """A sum of money that somebody typed: ``0.5`` or ``$0.50``."""
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", bare := text.strip().removeprefix("$"), re.ASCII):
        raise typer.BadParameter(f"{text!r} is no price: write USD per million tokens, such as 0.50")
    return Decimal(bare)


def tokens(text: str) -> int:
    """A count of tokens that somebody typed: ``128000``, ``128k`` or ``1m``."""
    typed = re.fullmatch(r"([\d_,]*\d)([km]?)", text.strip().lower(), re.ASCII)
    if not typed:
        raise typer.BadParameter(f"{text!r} is no count of tokens: write 128000, 128k or 1m")
    return int(re.sub("[_,]", "", typed[1])) * _FACTORS[typed[2]]


def _price(name: str, of: str) -> Any:
    return typer.Option(name, parser=usd, metavar="USD", help=f"At most this price per million tokens, {of}.")


Words = Annotated[list[str] | None, typer.Argument(help="Words that the id or the name has in it.")]
MaxPrice = Annotated[Decimal | None, _price("--max-price", "for both prompt and answer")]
MaxPromptPrice = Annotated[Decimal | None, _price("--max-prompt-price", "for the prompt")]
MaxCompletionPrice = Annotated[Decimal | None, _price("--max-completion-price", "for the answer")]
MinContext = Annotated[
    int | None, typer.Option(parser=tokens, metavar="TOKENS", help="At least this window: 128000, 128k or 1m.")
]
Tools = Annotated[bool, typer.Option("--tools", help="It calls tools.")]
Reasoning = Annotated[bool, typer.Option("--reasoning", help="It reasons.")]
Structured = Annotated[bool, typer.Option("--structured", help="It keeps to a JSON schema.")]
Reads = Annotated[
    list[str] | None, typer.Option(metavar="KIND", help="It takes image, file, audio or video; repeatable.")
]
Makes = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND", help="It gives text, image, audio, embeddings, rerank ...; repeatable."),
]
Supports = Annotated[
    list[str] | None, typer.Option(metavar="OPTION", help="It takes a request option, such as seed; repeatable.")
]
Free = Annotated[bool, typer.Option("--free", help="It charges nothing.")]
Sort = Annotated[Order | None, typer.Option(help="The cheapest, the largest window, or by name; else as listed.")]
Limit = Annotated[
    int | None,
    typer.Option(min=0, help=f"How many to show, 0 for all; else {_ROWS}, and all as JSON.", show_default=False),
]
Offline = Annotated[bool, typer.Option("--offline", help="Search what came with this package; ask nobody.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; prices are USD per million tokens, as text.")]


def models(
    words: Words = None,
    max_price: MaxPrice = None,
    max_prompt_price: MaxPromptPrice = None,
    max_completion_price: MaxCompletionPrice = None,
    min_context: MinContext = None,
    tools: Tools = False,
    reasoning: Reasoning = False,
    structured: Structured = False,
    reads: Reads = None,
    makes: Makes = None,
    supports: Supports = None,
    free: Free = False,
    sort: Sort = None,
    limit: Limit = None,
    offline: Offline = False,
    as_json: Json = False,
    base_url: BaseUrl = None,
) -> None:
    """Search the models by words, price, window and abilities. Needs no key."""
    abilities = {"tools": tools, "reasoning": reasoning, "structured_outputs": structured}
    wanted = Wanted(
        words=tuple(words or ()),
        max_prompt_price=_lower(max_price, max_prompt_price),
        max_completion_price=_lower(max_price, max_completion_price),
        min_context=min_context,
        reads=tuple(reads or ()),
        makes=tuple(makes or ()),
        supports=(*(name for name, needed in abilities.items() if needed), *(supports or ())),
        free=free,
    )
    suiting, unknown = found(_bundled() if offline else _listed(base_url), wanted, sort)
    if as_json:
        write(STDOUT, to_json([facts(model) for model in suiting[: limit or None]]))
    else:
        _print(suiting, _ROWS if limit is None else limit)
    if unknown:
        note(f"{_models(unknown, 'more ')} may do: not all that was asked for is known of them.")


def _lower(*limits: Decimal | None) -> Decimal | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _models(count: int, more: str = "") -> str:
    return f"{count:,} {more}model{'' if count == 1 else 's'}"


def _listed(base_url: str | None) -> list[Model]:
    """The models that are for sale; those that came with the package when that cannot be learned."""
    from openrouter_adapters.core.errors import OpenRouterError
    from openrouter_adapters.core.refresh import fetch_listing

    try:
        listed = catalog.models_in(fetch_listing(base_url=base_url, query="output_modalities=all"))
    except OpenRouterError as error:
        note(f"The models could not be asked for: {error}")
        return _bundled()
    if not listed:
        note("The answer lists no models.")
    return listed or _bundled()


def _bundled() -> list[Model]:
    models = catalog.bundled()
    note(f"Searched are the {_models(len(models))} that came with this package: most prices are not in there.")
    return models


def facts(model: Model) -> dict[str, Any]:
    """A model as JSON shows it: null is unknown. Prices are in USD per million tokens."""
    return {
        "id": model.id,
        "name": model.name,
        "canonical_slug": model.canonical_slug,
        "context_length": model.context_length,
        "max_completion_tokens": model.max_completion_tokens,
        "prices_per_million": {unit: per_million(model, unit) for unit in ("prompt", "completion", "input_cache_read")},
        "input_modalities": model.input_modalities,
        "output_modalities": model.output_modalities,
        "supported_parameters": model.supported_parameters
        or [name for name, supported in model.single_parameters.items() if supported],
    }


def _print(models: Sequence[Model], limit: int) -> None:
    if not models:
        note("No model is known to be all that.")
        return
    shown, screen = models[: limit or None], console()
    wide = screen.width >= _WIDE
    columns = ["model", "context", "prompt", "answer", *(["longest", "reads", "makes"] if wide else []), "can"]
    rows = [[*_row(model)[: len(columns) - 1], _abilities(model, short=not wide)] for model in shown]
    show(screen, table(columns, rows, numbers={1, 2, 3, 4} if wide else {1, 2, 3}))
    more = "" if len(shown) == len(models) else f" ({len(shown)} shown; --limit 0 for all)"
    legend = "" if wide else f"; {_LEGEND}"
    note(f"{_models(len(models))}{more}. Prices: USD per million tokens; {UNKNOWN}: unknown{legend}.")


def _row(model: Model) -> list[str]:
    prices = [money(per_million(model, unit)) for unit in ("prompt", "completion")]
    kinds = [
        UNKNOWN if kinds is None else " ".join(kinds) for kinds in (model.input_modalities, model.output_modalities)
    ]
    return [model.id, size(model.context_length), *prices, size(model.max_completion_tokens), *kinds]


def _abilities(model: Model, *, short: bool) -> str:
    return " ".join(word[0] if short else word for name, word in _ABILITIES.items() if model.supports(name))


def size(count: int | None) -> str:
    """A count of tokens in short: ``200k``, ``1.05m``."""
    if count is None:
        return UNKNOWN
    return str(count) if count < 1_000 else f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.4g}m"
