"""A value that a JSON schema accepts, made from the words of the conversation where they fit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["InvalidSchema", "Words", "instance", "quotations"]

Schema: TypeAlias = Mapping[str, Any]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
# The first kind is a key of JSON, and no quotation. An apostrophe in a word (what's) or after one opens none either.
_QUOTED = re.compile(
    r"""\"[^"\n]+\"\s*:|\"([^"\n]+)\"|(?<!\w)'([^'\n]+)'(?!\w)|“([^”]+)”|«([^»]+)»|„([^“”]+)[“”]|「([^」]+)」"""
)
_NAME = re.compile(r"(?<!^)(?<![.!?]\s)\b[A-Z]\w+(?:\s[A-Z]\w+)*")
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "properties": Mapping,
    **dict.fromkeys(("required", "enum", "anyOf", "oneOf", "allOf", "prefixItems"), list),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), int),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), (int, float)),
    **dict.fromkeys(("$ref", "format"), str),
    "type": (str, list),
}
_DEEP = 8
"""From here on a recursive schema gets its shortest way out."""


class InvalidSchema(ValueError):
    """A schema that is none."""


class Words:
    """What a text offers to fill a schema with: its numbers in order, its quotations, its names, itself."""

    def __init__(self, text: str) -> None:
        """Look through a text."""
        self.text = text
        self.numbers: list[float] = [float(number) for number in _NUMBER.findall(text)]
        self.quotations: list[str] = quotations(text)
        self.names: list[str] = _NAME.findall(_QUOTED.sub(" ", text))

    def number(self) -> float:
        """The next number that the text holds."""
        return self.numbers.pop(0) if self.numbers else 0.0

    def string(self) -> str:
        """The next quotation that the text holds, else the next name, else the whole text."""
        for words in (self.quotations, self.names):
            if words:
                return words.pop(0)
        return self.text


def quotations(text: str) -> list[str]:
    """What a text has between quotation marks, in order."""
    return [quoted for groups in _QUOTED.findall(text) if (quoted := "".join(groups))]


def instance(schema: Schema, words: Words) -> Any:
    """The smallest value that a schema accepts; ``pattern``, ``multipleOf`` and ``uniqueItems`` are not heeded.

    Raises:
        InvalidSchema: a keyword has a value that it cannot have, or a reference leads nowhere.
    """
    return _Place(schema, words).fill(schema)


@dataclass(frozen=True)
class _Place:
    """Where in a schema we are: what ``$ref`` starts from, and how deep down."""

    root: Schema
    words: Words
    depth: int = 0

    def below(self) -> "_Place":
        return _Place(self.root, self.words, self.depth + 1)

    def fill(self, schema: Any) -> Any:
        if not isinstance(schema, Mapping):
            return self.words.string()
        _check(schema)
        if "const" in schema or "default" in schema:
            return schema.get("const", schema.get("default"))
        if schema.get("enum"):
            return _mentioned(schema["enum"], self.words.text)
        part = self.inner(schema)
        return self.of_type(schema) if part is None else self.below().fill(part)

    def inner(self, schema: Schema) -> Schema | None:
        """The schema that stands behind a reference or a choice."""
        if "$ref" in schema:
            return self.resolve(schema["$ref"])
        choices: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or []
        if choices:
            return choices[0 if self.depth < _DEEP else -1]
        return self.merged(schema["allOf"]) if schema.get("allOf") else None

    def of_type(self, schema: Schema) -> Any:
        type_ = schema.get("type") or ("object" if "properties" in schema else "string")
        match type_[0] if isinstance(type_, list) else type_:
            case "object":
                return self.object(schema)
            case "array":
                return self.array(schema)
            case "integer":
                return int(_within(schema, self.words.number()))
            case "number":
                return _within(schema, self.words.number())
            case "boolean":
                return True
            case "null":
                return None
        return self.string(schema)

    def object(self, schema: Schema) -> dict[str, Any]:
        properties = schema.get("properties", {})
        return {name: self.below().fill(properties.get(name, {})) for name in schema.get("required", ())}

    def array(self, schema: Schema) -> list[Any]:
        first = schema.get("prefixItems") or []
        length = schema.get("minItems", (len(first) or 1) if self.depth < _DEEP else 0)
        kinds = [*first, *[schema.get("items", {})] * length][: min(length, schema.get("maxItems", length))]
        return [self.below().fill(kind) for kind in kinds]

    def string(self, schema: Schema) -> str:
        text = _FORMATS.get(schema.get("format", "")) or self.words.string() or "text"
        return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]

    def resolve(self, ref: str) -> Schema:
        found: Any = self.root
        for key in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
            try:
                found = found[int(key) if isinstance(found, list) else key.replace("~1", "/").replace("~0", "~")]
            except (LookupError, TypeError, ValueError) as error:
                raise InvalidSchema(f"nothing is at {ref!r}") from error
        return found if isinstance(found, Mapping) else {}

    def merged(self, schemas: list[Any]) -> Schema:
        merged: dict[str, Any] = {}
        for schema in schemas:
            if not isinstance(schema, Mapping):
                continue
            _check(schema)
            part = self.resolve(schema["$ref"]) if "$ref" in schema else schema
            _check(part)
            merged |= {**part, "properties": {**merged.get("properties", {}), **part.get("properties", {})}}
        return merged


def _check(schema: Schema) -> None:
    for keyword, kind in _KINDS.items():
        if keyword in schema and not isinstance(schema[keyword], kind):
            raise InvalidSchema(f"{schema[keyword]!r:.80} is no value for {keyword}")


def _within(schema: Schema, number: float) -> float:
    low: float = max(number, schema.get("minimum", number), schema.get("exclusiveMinimum", number - 1) + 1)
    return min(low, float(schema.get("maximum", low)), float(schema.get("exclusiveMaximum", low + 1)) - 1)


def _mentioned(choices: list[Any], text: str) -> Any:
    return next((choice for choice in choices if str(choice).lower() in text.lower()), choices[0])
