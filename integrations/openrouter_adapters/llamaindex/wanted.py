"""`Wanted`: a pydantic class that an answer has to be of, how it is asked for, and the answer read as one."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from pydantic import BaseModel

from openrouter_adapters.core.json_text import partial_json
from openrouter_adapters.core.schema import json_schema_format, rooted, schema_name, stricter
from openrouter_adapters.core.structured import Called, Expected, NotAsAsked, Said, failure
from openrouter_adapters.core.tools import function_tool, listed, tool_name, wire_tool_choice
from openrouter_adapters.core.wire import dict_of, dicts_of, text_of
from openrouter_adapters.llamaindex.tools import wire_tool

Mode = Literal["json_schema", "tool", "text"]
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_ASKING = ("response_format", "tools", "tool_choice")
_PLACES = ("additional_kwargs", "extra_body")  # the later wins, as on the wire


def schema_of(output_cls: Any) -> dict[str, Any]:
    """The JSON schema of a pydantic class.

    Raises:
        TypeError: it is no pydantic class, or one that no JSON schema can say.
    """
    if not isinstance(output_cls, type) or typing.get_origin(output_cls) or not issubclass(output_cls, BaseModel):
        raise TypeError(f"output_cls={output_cls!r} is no pydantic class: {_remedy(output_cls)}")
    try:
        return rooted(output_cls.model_json_schema())
    except Exception as error:  # whatever pydantic, or the class itself, says to a type that JSON does not know
        raise TypeError(f"output_cls={output_cls.__name__} has no JSON schema: {error}") from error


def _remedy(given: Any) -> str:
    cls = given if isinstance(given, type) else type(given)
    if any(base.__module__.startswith("pydantic.v1") for base in cls.__mro__):
        return "it is one of pydantic.v1, so derive it from pydantic.BaseModel"
    if isinstance(given, BaseModel):
        return f"give the class itself, {type(given).__name__}"
    if typing.get_origin(given) or given in (str, int, float, bool, list, dict):
        shown = given.__name__ if isinstance(given, type) and not typing.get_origin(given) else given
        return f"wrap it in one: class Answer(BaseModel): value: {shown}"
    return "make it one, class Answer(pydantic.BaseModel): ..."


class Read(NamedTuple, Generic[T]):
    """An object that was read.

    Attributes:
        value: the object.
        response: the answer, or the item of a stream, that it was made of.
        found: the JSON value in that.
    """

    value: T
    response: ChatResponse
    found: Any


def on_top(llm_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call; what would go out in the place of what is asked for stands where that is checked."""
    made = dict(llm_kwargs)
    for place in _PLACES:
        if isinstance(inside := made.get(place), Mapping):
            made |= {name: inside[name] for name in _ASKING if name in inside}
            made[place] = {name: value for name, value in inside.items() if name not in _ASKING}
    return made


class Wanted(NamedTuple, Generic[M]):
    """What an answer has to be, and how it is asked for.

    Attributes:
        output_cls: the pydantic class.
        schema: its JSON schema.
        mode: by a ``response_format``, by a function that must be called, or by words in the prompt.
    """

    output_cls: type[M]
    schema: dict[str, Any]
    mode: Mode

    @property
    def name(self) -> str:
        """What the schema is called on the wire."""
        return schema_name(text_of(self.schema.get("title")) or self.output_cls.__name__)

    # ---- what is asked

    def options(self, call: Mapping[str, Any], strict: bool | None) -> dict[str, Any]:
        """The options of the request.

        Args:
            call: the caller's own options; tools among them may be called instead.
            strict: whether the schema must be followed to the letter; None: a JSON schema where it can be, a
                function does not say.

        Raises:
            ValueError: they say something that the class says already.
        """
        if self.mode == "text":
            return dict(call)
        if self.mode == "json_schema":
            if call.get("response_format") is not None:
                raise ValueError(
                    "llm_kwargs: response_format is made from output_cls; to send one of your own, call chat(), "
                    "or give should_use_structured_outputs=False"
                )
            form = json_schema_format(self.name, self.schema, strict)
            return {"require_parameters": True, **call, "response_format": form}
        others = [wire_tool(tool, strict) for tool in listed(call.get("tools"))]
        if any(tool_name(tool) == self.name for tool in others):
            raise ValueError(f"llm_kwargs: a tool is called {self.name!r} as output_cls is; rename one of them")
        made = function_tool(self.name, None, self.schema)
        tools = [{**made, "function": stricter(made["function"], strict)}, *others]
        choice = wire_tool_choice(call.get("tool_choice") or ("required" if others else self.name), tools)
        return {"require_parameters": True, **call, "tools": tools, "tool_choice": choice}

    def instructed(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        """The messages, with the schema in words where it takes words: LlamaIndex's own, in its own place.

        That is the end of a system message that comes first, else of the last message.
        """
        made = list(messages)
        if self.mode != "text" or not made:
            return made
        place = 0 if made[0].role == MessageRole.SYSTEM else -1
        parser = PydanticOutputParser(output_cls=self.output_cls)
        words = parser.get_format_string(escape_json=False)
        said = "\n".join(message.content or "" for message in made)
        if words.strip() in said or parser.format_string.strip() in said:  # a prompt with that parser says it itself
            return made
        made[place] = _ended(made[place], f"\n\n{words}")
        return made

    # ---- what came

    @property
    def openings(self) -> str:
        """What JSON among words may begin with: where an object is asked for, brackets are citations."""
        if self.mode != "text":
            return ""
        return "{" if self.schema.get("type") == "object" else "{["

    def read(self, response: ChatResponse) -> tuple[M, Any]:
        """The object that a whole answer is, and the JSON value that it was made of.

        Raises:
            StructuredOutputError: it is not what the class asks for. A RefusalError: the model refused.
        """
        said = _said(response)
        expected = Expected(self.name, self.mode == "tool", self.openings)
        try:
            return expected.read(said, lambda found: (self.validated(found), found))
        except NotAsAsked as trouble:
            raise _error(response, said, trouble) from trouble.__cause__

    def validated(self, value: Any) -> M:
        """The object that parsed JSON stands for; raises what the class raises."""
        return self.output_cls.model_validate_json(json.dumps(value))

    def written(self, item: ChatResponse) -> str:
        """As much of the answer's JSON as an item of a stream has."""
        if self.mode != "tool":
            return item.message.content or ""
        calls = (block for block in item.message.blocks if isinstance(block, ToolCallBlock))
        return next((str(call.tool_kwargs) for call in calls if call.tool_name == self.name), "")


def _ended(message: ChatMessage, words: str) -> ChatMessage:
    """The message with words at the end of its last text; the given one stays as it is."""
    blocks = list(message.blocks)
    texts = [place for place, block in enumerate(blocks) if isinstance(block, TextBlock)]
    last = blocks[texts[-1]] if texts else None
    if isinstance(last, TextBlock):
        blocks[texts[-1]] = last.model_copy(update={"text": last.text + words})
    else:
        blocks.append(TextBlock(text=words.lstrip()))
    return message.model_copy(update={"blocks": blocks})


def _said(response: ChatResponse) -> Said:
    calls = (block for block in response.message.blocks if isinstance(block, ToolCallBlock))
    facts = response.additional_kwargs
    return Said(
        response.message.content or "",
        tuple(Called(call.tool_name, call.tool_kwargs) for call in calls),
        text_of(facts.get("refusal")),
        text_of(facts.get("finish_reason")),
    )


def _error(response: ChatResponse, said: Said, trouble: NotAsAsked) -> Exception:
    """The error for an answer that cannot be used; the classes load openai, so only once something went wrong."""
    from openrouter_adapters.llamaindex.errors import RefusalError, StructuredOutputError

    facts = response.additional_kwargs
    calls = dicts_of(response.message.additional_kwargs.get("tool_calls"))
    functions = (dict_of(call.get("function")) for call in calls)
    return failure(
        trouble,
        said,
        StructuredOutputError,
        RefusalError,
        raw=response,
        text=said.text or "\n".join(str(function.get("arguments") or "") for function in functions),
        model=text_of(facts.get("model")),
        provider=text_of(facts.get("provider")),
        generation_id=text_of(facts.get("id")),
    )


class Growth(Generic[M]):
    """An answer that grows: partial objects on the way to the whole one.

    Attributes:
        found: the JSON value that the last of them was made of.
    """

    def __init__(self, wanted: Wanted[M]) -> None:
        self._wanted = wanted
        self._flexible = _flexible(wanted.output_cls)
        self._written = ""
        self.found: Any = None

    def partial(self, item: ChatResponse) -> M | FlexibleModel | None:
        """As much of the object as has arrived, if that is more than before.

        Returns:
            an object of the class as soon as that accepts it, before that one of LlamaIndex's `FlexibleModel`, in which
            the fields to come are None.
        """
        written = self._wanted.written(item)
        if written == self._written:
            return None
        self._written = written
        found = partial_json(written, self._wanted.openings)
        if found is None or found == self.found:
            return None
        self.found = found
        return self._object(found)

    def _object(self, found: Any) -> M | FlexibleModel | None:
        try:
            return self._wanted.validated(found)
        except Exception:  # not yet; the whole answer is judged at the end
            return self._flexible.model_validate(found) if isinstance(found, dict) else None


def _flexible(output_cls: type[BaseModel]) -> type[FlexibleModel]:
    try:
        return create_flexible_model(output_cls)
    except Exception:  # the name of a field that a plain class cannot have
        return FlexibleModel
