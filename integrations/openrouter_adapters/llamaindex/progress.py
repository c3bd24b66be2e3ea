"""`Progress`: the deltas of a stream as ChatResponses, each with everything so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CitationBlock, ImageBlock, ThinkingBlock, ToolCallBlock

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.stream import NOTHING_MORE, Delta
from openrouter_adapters.core.tool_calls import ToolCallDelta
from openrouter_adapters.llamaindex import filled
from openrouter_adapters.llamaindex.answers import (
    Asked,
    chat_response,
    citation_blocks,
    image_blocks,
    logprob_rows,
    spoken,
)


class Progress:
    """Turns one stream's deltas into items. An item that was handed out never changes.

    What has arrived is kept ready, so that an item costs the same early and late in a stream; nothing is parsed or
    joined again. A tool call's arguments are the text so far, until the last item has them parsed.
    """

    __slots__ = (
        "_asked",
        "_call_blocks",
        "_calls",
        "_citations",
        "_images",
        "_make",
        "_reasoning",
        "_text",
        "_thinking",
    )

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._make = filled.maker()
        self._text = ""
        self._reasoning = ""
        self._thinking: list[ThinkingBlock] = []
        self._images: list[ImageBlock] = []
        self._citations: list[CitationBlock] = []
        self._calls: list[dict[str, Any]] = []
        self._call_blocks: list[ToolCallBlock] = []

    def item(self, delta: Delta) -> ChatResponse:
        """The answer so far.

        Returns:
            ``delta`` is the new visible text; ``additional_kwargs`` may have ``thinking_delta`` (new reasoning) and
            ``audio_delta`` (the wire's piece of sound: ``data`` in base64, ``transcript``). ``raw`` is None.
        """
        words = delta.text
        if words:
            self._text += words
        more = {} if delta[1:] == NOTHING_MORE else self._more(delta)
        rows = logprob_rows(delta.logprobs) if delta.logprobs else None
        calls = {"tool_calls": [*self._calls]} if self._calls else {}
        after = [*self._images, *self._citations, *self._call_blocks]
        return filled.item(self._make, self._text, words, self._thinking, after, calls, more, rows)

    def end(self, reply: Reply) -> Iterator[ChatResponse]:
        """The last items: the whole answer, and before it the words of an answer that was only spoken.

        Those are no ``delta`` as they come, since text may follow, which then is the text of the answer alone; an
        ``audio_delta`` has them at once.
        """
        if not reply.text and (words := spoken(reply)):
            yield self.item(Delta(words))
        yield chat_response(reply, self._asked, delta="")

    def _more(self, delta: Delta) -> dict[str, Any]:
        """Take in what is not text; what the item's ``additional_kwargs`` say of it."""
        more: dict[str, Any] = {}
        if delta.reasoning:
            self._reasoning += delta.reasoning
            self._thinking = [filled.thinking(self._make, self._reasoning)]
            more["thinking_delta"] = delta.reasoning
        if delta.tool_calls:
            self._add_calls(delta.tool_calls)
        if delta.images or delta.annotations:
            self._images += image_blocks(delta.images)
            self._citations += citation_blocks(delta.annotations)
        if delta.audio:
            more["audio_delta"] = delta.audio
        return more

    def _add_calls(self, pieces: Sequence[ToolCallDelta]) -> None:
        for piece in pieces:
            if piece.index and self._asked.one_call:
                continue
            while piece.index >= len(self._calls):
                self._calls.append(_wire_call("", "", ""))
                self._call_blocks.append(filled.tool_call(self._make, "", "", ""))
            before = self._call_blocks[piece.index]
            call_id, name = piece.id or before.tool_call_id or "", piece.name or before.tool_name
            arguments = str(before.tool_kwargs) + piece.arguments
            self._calls[piece.index] = _wire_call(call_id, name, arguments)
            self._call_blocks[piece.index] = filled.tool_call(self._make, call_id, name, arguments)


def _wire_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
