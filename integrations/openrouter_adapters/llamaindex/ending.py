"""How calls ended, told to the cost handlers of LlamaIndex.

LlamaIndex's events tell of whole answers of an LLM. They do not tell what a failed call, a stream left early, an
embedding or a reranking took: that is told here, to our own handlers only. An event of our own would be one that other
handlers do not know.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from llama_index_instrumentation import get_dispatcher  # comes with llama-index-core

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request

if TYPE_CHECKING:
    from openrouter_adapters.core.answer import Answer
    from openrouter_adapters.core.client import Client
    from openrouter_adapters.core.records import HeardCosts

C = TypeVar("C")


def _hearing(callback_manager: Any) -> list[HeardCosts]:
    """Whoever of ours hears of a call: as a handler of events, or of the callback manager.

    A stream may be dropped while that class is being loaded: the garbage collector runs at any time.
    """
    records = sys.modules.get("openrouter_adapters.core.records")
    kind: type[HeardCosts] | None = getattr(records, "HeardCosts", None)
    if kind is None:
        return []
    handlers = (*get_dispatcher().event_handlers, *getattr(callback_manager, "handlers", ()))
    return [handler for handler in handlers if isinstance(handler, kind)]


class Ending:
    """Around a request: tells our handlers how it ended, where LlamaIndex does not.

    Attributes:
        so_far: gives what has arrived of a stream; set once it is open.
        whole: whether the answer is there, should the caller leave now.

    Args:
        callback_manager: that of the model.
        request: what is sent.
    """

    def __init__(self, callback_manager: Any, request: Request) -> None:
        self.so_far: Callable[[], Reply] | None = None
        self.whole = False
        self._callback_manager = callback_manager
        self._request = request

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._tell(error)

    def tell(self, answer: Answer[Any]) -> None:
        """Tell of an answer."""
        self._tell(answer)

    def _tell(self, end: Answer[Any] | BaseException) -> None:
        hearing = _hearing(self._callback_manager)
        if not hearing:
            return
        from openrouter_adapters.llamaindex.spending import of_answer, of_failure

        request = self._request
        facts = {"endpoint": request.path, "tags": request.tags, "requested_model": next(iter(request.asked), None)}
        if isinstance(end, BaseException):
            told = of_failure(end, facts, self.so_far, whole=self.whole)
        else:
            told = of_answer(end, facts)
        for one in hearing:
            one.hear(told)


class ToldFetches:
    """A client that tells what each request to an endpoint beside chat took.

    Args:
        client: sends them.
        callback_manager: that of the model.
    """

    def __init__(self, client: Client, callback_manager: Any) -> None:
        self._client = client
        self._callback_manager = callback_manager

    def fetch(self, request: Request, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """As `Client.fetch`."""
        with Ending(self._callback_manager, request) as ending:
            answer = self._client.fetch(request, read)
        ending.tell(answer)
        return answer

    async def afetch(self, request: Request, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """As `Client.afetch`."""
        with Ending(self._callback_manager, request) as ending:
            answer = await self._client.afetch(request, read)
        ending.tell(answer)
        return answer
