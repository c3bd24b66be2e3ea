"""An answer read as what was asked for: JSON that a schema accepts, as text or as a call of one function. Pure.

What is read although it is not as asked: JSON in a Markdown fence, and JSON written as text where a function should
have been called. Everything else is `NotAsAsked`, never None and never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from openrouter_adapters.core.json_text import read_json, read_json_among_words

if TYPE_CHECKING:
    from openrouter_adapters.core.errors import RefusalError, StructuredOutputError

T = TypeVar("T")

_LONGEST_EXCERPT = 200
_MOST_FAULTS = 5


class Called(NamedTuple):
    """One call of a function.

    Attributes:
        name: the function's name.
        arguments: parsed; their text where they are cut off or no JSON object.
    """

    name: str
    arguments: dict[str, Any] | str


class Said(NamedTuple):
    """What of an answer matters here.

    Attributes:
        text: its text.
        calls: the functions that it calls; those with whole arguments first, where the order is lost.
        refusal: the model's words, where it refused.
        finish_reason: why it ended.
    """

    text: str
    calls: tuple[Called, ...] = ()
    refusal: str | None = None
    finish_reason: str | None = None


class NotAsAsked(ValueError):
    """What is wrong with an answer; its ``__cause__`` is what a parser or a validator said.

    Attributes:
        refused: whether the model refused.
    """

    def __init__(self, said: str, refused: bool = False) -> None:
        super().__init__(said)
        self.refused = refused


class Expected(NamedTuple):
    """How an answer is read.

    Attributes:
        name: the schema's name, which is the function's.
        by_call: whether the answer comes as the arguments of a function call, not as text.
        openings: what JSON among words may begin with, for models that were only asked to write it; nothing: it does
            not stand among words.
        others: the names of the other functions that the model may call.
        remedy: what to do about an answer that only calls others; words for the end of a sentence.
    """

    name: str
    by_call: bool
    openings: str = ""
    others: frozenset[str] = frozenset()
    remedy: str = ""

    def read(self, said: Said, validated: Callable[[Any], T]) -> T:
        """What an answer stands for.

        Args:
            said: the answer.
            validated: makes parsed JSON into it, or raises whatever it likes.

        Raises:
            NotAsAsked: it is not what the schema asks for.
        """
        if said.refusal:
            raise NotAsAsked(f"the model refused: {said.refusal}", refused=True)
        read: list[T] = []
        wrong: list[Exception] = []
        for found in self._found(said):
            try:
                read.append(validated(found))
            except Exception as error:  # whatever a validator of the caller's says to it
                wrong.append(error)
        if not read:
            raise NotAsAsked(f"the answer does not fit {self.name}: {_wrong(wrong[0])}") from wrong[0]
        if len(read) > 1:
            raise NotAsAsked(f"the answer is not one {self.name}, more follows after the JSON: {excerpt(said.text)}")
        return read[0]

    def calls_others(self, said: Said) -> bool:
        """Whether an answer calls other functions, which is no failure, but no object either."""
        if said.refusal or any(isinstance(call.arguments, str) for call in said.calls):
            return False
        called = {call.name for call in said.calls}
        return bool(called) and called <= self.others

    def _found(self, said: Said) -> list[Any]:
        """The JSON value in an answer; several where words around them leave open which is meant."""
        if self.by_call and said.calls:
            return [self._arguments(said)]
        if not said.text.strip():
            raise NotAsAsked(self._no_text(said))
        try:
            return read_json_among_words(said.text, self.openings) if self.openings else [read_json(said.text)]
        except ValueError as error:
            if said.calls:
                raise NotAsAsked(self._no_text(said)) from error
            instead = f"text instead of a call of {self.name}" if self.by_call else "no JSON"
            raise NotAsAsked(f"the answer is {instead} ({error}): {excerpt(said.text)}") from error

    def _arguments(self, said: Said) -> Any:
        own = [call.arguments for call in said.calls if call.name == self.name]
        if not own:
            raise NotAsAsked(self._no_text(said))
        found = next((arguments for arguments in own if isinstance(arguments, dict)), own[0])
        if isinstance(found, dict):
            if not found and said.finish_reason == "length":
                raise NotAsAsked(f"the call of {self.name} has no arguments yet")
            return found
        try:
            return read_json(found)
        except ValueError as error:
            words = f"the arguments of {self.name} are no JSON, or cut off ({error}): {excerpt(found)}"
            raise NotAsAsked(words) from error

    def _no_text(self, said: Said) -> str:
        """Why there is nothing to read."""
        names = [call.name for call in said.calls]
        if not names:
            return "the answer is empty"
        remedy = self.remedy if set(names) <= self.others else ""
        return f"the model called {', '.join(names)} instead of giving the answer{remedy}"


def excerpt(text: str) -> str:
    """The beginning of a text, in quotation marks."""
    return repr(text) if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]!r}..."


def failure(
    trouble: NotAsAsked, said: Said, plain: type[StructuredOutputError], refused: type[RefusalError], **facts: Any
) -> StructuredOutputError:
    """The error for an answer that cannot be used.

    Args:
        trouble: what is wrong with it.
        said: the answer.
        plain: the class of the error.
        refused: its class where the model refused, or a content filter stopped the answer.
        **facts: what else is known.
    """
    if not trouble.refused and said.finish_reason != "content_filter":
        return plain(str(trouble), finish_reason=said.finish_reason, **facts)
    words = str(trouble) if trouble.refused else f"a content filter stopped the answer: {trouble}"
    return refused(words, refusal=said.refusal, finish_reason=said.finish_reason, **facts)


def _wrong(error: Exception) -> str:
    """What a validation found, in one line."""
    with suppress(Exception):  # an error of the caller's own need not be able to say what it is
        errors = getattr(error, "errors", None)
        words = _faults(errors()) if callable(errors) else str(error)
        if words:
            return words
    return type(error).__name__


def _faults(errors: Any) -> str:
    found = [(".".join(map(str, item["loc"])), item["msg"]) for item in errors]
    said = [f"{place}: {message}" if place else str(message) for place, message in found[:_MOST_FAULTS]]
    return "; ".join([*said, "..."] if len(found) > _MOST_FAULTS else said)
