"""What calls took, told to the cost handlers of LlamaIndex.

LlamaIndex's events tell of whole answers of an LLM. They do not tell what a failed call, a stream left early, an
embedding or a reranking took: that is told here, to our own handlers only. An event of our own would be one that other
handlers do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from llama_index_instrumentation import get_dispatcher  # comes with llama-index-core

from openrouter_adapters.core.answer import Answer
from openrouter_adapters.core.records import ANSWERED, LEFT, CallRecord, HeardCosts
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.tries import failed_record, record_of_error
from openrouter_adapters.core.wire import known

if TYPE_CHECKING:
    from openrouter_adapters.core.client import Client

C = TypeVar("C")


# ----------------------------------------------------------------------------------------------- records of a call


def of_answer(answer: Reply | Answer[Any], facts: Mapping[str, Any], outcome: str = ANSWERED) -> list[CallRecord]:
    """The failed tries before an answer, and the answer.

    Args:
        answer: what came.
        facts: fields that all records have.
        outcome: what became of the answer.
    """
    own = CallRecord(**{**facts, **known(model=answer.model, provider=answer.provider, id=answer.id)}, outcome=outcome)
    return [*(failed_record(CallRecord(**facts), failed) for failed in answer.failed_tries), own.used(answer.usage)]


def of_failure(
    error: BaseException, facts: Mapping[str, Any], so_far: Callable[[], Reply] | None, left: str = LEFT
) -> list[CallRecord]:
    """The tries of a call that ended without a whole answer; none where nothing was sent.

    Args:
        error: what ended it.
        facts: fields that all records have.
        so_far: gives what had arrived of a stream, once it was open.
        left: what became of the answer, where that was the caller's doing.
    """
    from openrouter_adapters.core import errors

    if isinstance(error, errors.OpenRouterError):
        tries = [one for one in (*error.failed_tries, error) if not isinstance(one, errors.BudgetExceededError)]
        return [record_of_error(CallRecord(**facts), one) for one in tries]
    if so_far is not None:
        return of_answer(so_far(), facts, left)
    if isinstance(error, Exception):  # a mistake that was found before anything was sent
        return []
    return [CallRecord(**facts, outcome=left, priced=False)]


# -------------------------------------------------------------------------------------------------------- telling


def _hearing(callback_manager: Any) -> list[HeardCosts]:
    """Whoever of ours hears of a call: as a handler of events, or of the callback manager."""
    handlers = (*get_dispatcher().event_handlers, *getattr(callback_manager, "handlers", ()))
    return [handler for handler in handlers if isinstance(handler, HeardCosts)]


class Ending:
    """Around a request: tells our handlers how it ended, where LlamaIndex does not.

    Attributes:
        so_far: gives what has arrived of a stream; set once it is open.
        outcome: what became of the answer, should it be left now.

    Args:
        callback_manager: that of the model.
        request: what is sent.
    """

    def __init__(self, callback_manager: Any, request: Request) -> None:
        self.so_far: Callable[[], Reply] | None = None
        self.outcome = LEFT
        self._callback_manager = callback_manager
        self._request = request

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._tell(lambda facts: of_failure(error, facts, self.so_far, self.outcome))

    def tell(self, answer: Answer[Any]) -> None:
        """Tell of an answer."""
        self._tell(lambda facts: of_answer(answer, facts))

    def _tell(self, records: Callable[[dict[str, Any]], list[CallRecord]]) -> None:
        hearing = _hearing(self._callback_manager)
        if not hearing:
            return
        request = self._request
        asked = next(iter(request.asked), None)
        told = records({"endpoint": request.path, "tags": request.tags, "requested_model": asked})
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
