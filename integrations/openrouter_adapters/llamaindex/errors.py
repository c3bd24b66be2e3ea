"""What is wrong with an answer, in LlamaIndex: core's classes, and ValueErrors too, as what its programs raise.

This module loads ``openai``; it is imported once something went wrong.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from openrouter_adapters.core import errors as core
from openrouter_adapters.core.structured import excerpt


class StructuredOutputError(core.StructuredOutputError, ValueError):
    """The answer is not what the schema asks for; ``raw`` is the ChatResponse, its tokens and cost included.

    Attributes:
        text: what the model wrote: the text, or else the arguments of its calls.
    """

    def __init__(self, message: str, *, text: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.text = text

    @override
    def _details(self) -> list[str]:
        shown = excerpt(self.text) if self.text else ""
        return [
            f"The answer was {shown}." if shown and shown not in self.message else "",
            f"It ended with finish_reason {self.finish_reason!r}." if self.finish_reason else "",
            *super()._details(),
        ]


class RefusalError(StructuredOutputError, core.RefusalError):
    """The model refused, or a content filter stopped the answer."""
