"""Write the tables of the documentation pages anew, from the code that they describe.

``python tools/make_tables.py`` replaces what stands between ``<!-- name -->`` and ``<!-- /name -->`` in ``docs/``.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from openrouter_adapters.core import errors
from openrouter_adapters.core.embeddings import EmbeddingOptions
from openrouter_adapters.core.options import (
    BODY_OPTIONS,
    HEADER_OPTIONS,
    OPTION_NAMES,
    TRANSPORT_OPTIONS,
    EndpointOptions,
    MaxPrice,
    OpenRouterOptions,
    ProviderPreferences,
    Reasoning,
)
from openrouter_adapters.core.rerank import RerankOptions
from openrouter_adapters.gateway import FAULTS, MODELS, PROVIDERS, LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank
from openrouter_adapters.llamaindex import OpenRouter, OpenRouterEmbedding
from openrouter_adapters.llamaindex import OpenRouterRerank as LlamaIndexRerank

DOCS = Path(__file__).resolve().parents[1] / "docs"

_PLACES = {
    "reasoning_effort": "body: `reasoning.effort`",
    "extra_body": "body: each of its keys",
    "api_key": "header: `Authorization`",
    "default_headers": "headers",
    "base_url": "the address",
    "query_input_type": "body: `input_type`",
    "document_input_type": "body: `input_type`",
}
_ASKING: dict[str, Any] = {"model": "openai/gpt-4o-mini", "api_key": "any", "max_retries": 0}
# What would otherwise take its time.
_LIMITS: dict[str, dict[str, Any]] = {"silence": {"timeout": 0.2}, "comments_forever": {"stall_timeout": 0.2}}
# Where a run of chat's own options begins.
_AFTER = {"models": "model", "preset": "provider", "request_metadata": "trace"}
_NAMES = {SecretStr: "str", Any: "object", int | float: "float"}


def options() -> str:
    """Every option of chat; its own stand among those of every endpoint, where they belong."""
    names: list[str] = list(EndpointOptions.model_fields)
    at = 0
    for name in OPTION_NAMES[len(names) :]:
        at = names.index(_AFTER[name]) + 1 if name in _AFTER else at + 1
        names.insert(at, name)
    return option_table(OpenRouterOptions, names)


def added(options: type[EndpointOptions]) -> str:
    """What an endpoint takes beside what every endpoint takes."""
    return option_table(options, [name for name in options.model_fields if name not in EndpointOptions.model_fields])


def option_table(options: type[EndpointOptions], names: Iterable[str]) -> str:
    """Options with everything that is known of them."""
    fields = options.model_fields
    rows = ([f"`{name}`", kind(fields[name]), default(fields[name]), said(fields[name]), place(name)] for name in names)
    return table(["option", "type", "default", "meaning, range, unit", "on the wire"], rows)


def place(name: str) -> str:
    """Where an option goes."""
    if name in HEADER_OPTIONS:
        return f"header: `{HEADER_OPTIONS[name]}`"
    if name in _PLACES or name in TRANSPORT_OPTIONS:
        return _PLACES.get(name, "not sent")
    return f"body: `{BODY_OPTIONS.get(name, name)}`"


def keys(typed: type) -> str:
    """The keys of an option that is an object."""
    return table(["key", "type"], ([f"`{key}`", f"`{written}`"] for key, written in written_types(typed).items()))


def written_types(typed: type) -> dict[str, str]:
    """The types of a TypedDict's keys as its source has them."""
    source = ast.parse(inspect.getsource(typed)).body[0]
    assert isinstance(source, ast.ClassDef)
    fields = (node for node in source.body if isinstance(node, ast.AnnAssign))
    return {ast.unparse(node.target): ast.unparse(node.annotation).replace("'", '"') for node in fields}


def own(model: type[EndpointOptions]) -> str:
    """The arguments that only one of the adapters' classes has."""
    package = model.__module__.rpartition(".")[0]
    ours = [cls for cls in model.__mro__ if cls.__module__.startswith(f"{package}.")]
    others = [cls for cls in model.__mro__ if cls not in ours]
    inherited = {name for base in others for name in getattr(base, "model_fields", ())}
    fields = {name: field for name, field in model.model_fields.items() if name not in {*inherited, *OPTION_NAMES}}
    annotated = [name for cls in ours for name in cls.__annotations__]
    overridden = {name: model.model_fields[name] for name in annotated if name in model.model_fields}
    shown = {name: field for name, field in {**fields, **overridden}.items() if name not in model.option_aliases}
    rows = ([f"`{name}`", kind(field), default(field), said(field)] for name, field in shown.items())
    return table(["argument", "type", "default", "meaning, unit"], rows)


def aliases(model: type[EndpointOptions]) -> str:
    """The other names under which one adapter takes its arguments."""
    return table(["also accepted", "means"], ([f"`{old}`", f"`{new}`"] for old, new in model.option_aliases.items()))


def outcomes() -> str:
    """What every fault of the gateway comes to: tried out, unstreamed and streamed."""
    with LocalGateway() as gateway, ChatOpenRouter(**_ASKING, base_url=gateway.base_url) as model:
        rows = [[f"`{name}`", doc, *tried(name, gateway, model)] for name, doc in FAULTS.items()]
    return table(["fault", "what goes over the wire", "`invoke`, `chat`", "`stream`, `stream_chat`"], rows)


def tried(fault: str, gateway: LocalGateway, model: ChatOpenRouter) -> list[str]:
    """What one fault comes to."""
    cells, limits = [], _LIMITS.get(fault, {})
    for ask in (lambda: model.invoke("Hello", **limits), lambda: list(model.stream("Hello", **limits))):
        details = {"seconds": 0.01} if fault == "slow_start" else {}
        gateway.reply(chunks=["one", " two"], cost=0.0)
        gateway.fault(fault, after=1, **details)
        try:
            ask()
            cells.append("an answer")
        except errors.OpenRouterError as error:
            cells.append(f"`{type(error).__name__}`{', passes' if error.retryable else ''}")
        gateway.reset()
    return cells


def market() -> str:
    """The gateway's models and who sells them."""
    names = {provider.slug: provider.name for provider in PROVIDERS}
    rows = (
        [f"`{model.id}`", ", ".join(f"`{e.provider}` ({names[e.provider]})" for e in model.endpoints)]
        for model in MODELS
    )
    return table(["model", "providers"], rows)


def tree() -> str:
    """The exception tree of `core.errors`."""
    drawn = inspect.getdoc(errors).partition("::\n\n")[2].partition("\n\n")[0]
    return f"```text\n{inspect.cleandoc(drawn)}\n```"


def attributes() -> str:
    """The attributes of `OpenRouterError`."""
    listed = inspect.getdoc(errors.OpenRouterError).partition("Attributes:\n")[2]
    entries = re.findall(r"^ {4}(\w+): (.+)$", listed, re.MULTILINE)
    return table(["attribute", "what it says"], ([f"`{name}`", code(said)] for name, said in entries))


TABLES: Mapping[str, Callable[[], str]] = {
    "options": options,
    "provider keys": lambda: keys(ProviderPreferences),
    "max_price keys": lambda: keys(MaxPrice),
    "reasoning keys": lambda: keys(Reasoning),
    "embedding options": lambda: added(EmbeddingOptions),
    "rerank options": lambda: added(RerankOptions),
    "langchain arguments": lambda: own(ChatOpenRouter),
    "langchain embeddings arguments": lambda: own(OpenRouterEmbeddings),
    "langchain rerank arguments": lambda: own(OpenRouterRerank),
    "llamaindex arguments": lambda: own(OpenRouter),
    "llamaindex embedding arguments": lambda: own(OpenRouterEmbedding),
    "llamaindex rerank arguments": lambda: own(LlamaIndexRerank),
    "langchain aliases": lambda: aliases(ChatOpenRouter),
    "llamaindex aliases": lambda: aliases(OpenRouter),
    "llamaindex embedding aliases": lambda: aliases(OpenRouterEmbedding),
    "faults": outcomes,
    "market": market,
    "errors": tree,
    "error attributes": attributes,
}


def said(field: FieldInfo) -> str:
    """A field's description."""
    return code(field.description or "")


def code(text: str) -> str:
    """Markdown has one backtick where a docstring has two."""
    return text.replace("``", "`")


def default(field: FieldInfo) -> str:
    """A field's default; nothing where there is none, or where it is None, that is: not set."""
    plain = getattr(field.default, "value", field.default)
    return "" if field.is_required() or plain is None else f"`{plain!r}`"


def kind(field: FieldInfo) -> str:
    """A field's type, in words."""
    return f"`{type_name(field.annotation)}`"


def type_name(annotation: Any) -> str:
    """A type as people write it, without what pydantic adds and without None."""
    plain = bare(annotation)
    if plain in _NAMES:
        return _NAMES[plain]
    if isinstance(plain, types.UnionType):
        return " or ".join(map(type_name, get_args(plain)))
    if get_args(plain) == (str, Any):
        return "dict"
    inner = ", ".join(map(type_name, get_args(plain)))
    return f"{get_origin(plain).__name__}[{inner}]" if inner else getattr(plain, "__name__", str(plain))


def bare(annotation: Any) -> Any:
    """A type without ``Annotated`` and without None."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    parts = [bare(part) for part in get_args(annotation) if part is not type(None)]
    made = parts[0]
    for part in parts[1:]:
        made = made | part
    return made


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', 'or') for cell in cells)} |" for cells in lines)


def renewed(page: str) -> str:
    """A page with its tables made anew."""
    for name, make in TABLES.items():
        marks = f"<!-- {name} -->", f"<!-- /{name} -->"
        if marks[0] in page:
            before, _, rest = page.partition(marks[0])
            page = f"{before}{marks[0]}\n\n{make()}\n\n{marks[1]}{rest.partition(marks[1])[2]}"
    return page


def main() -> None:
    """Renew every page."""
    for path in sorted(DOCS.glob("*.md")):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
