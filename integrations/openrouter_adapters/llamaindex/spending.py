"""The records of a LlamaIndex call: what its tries took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openrouter_adapters.core.answer import Answer
from openrouter_adapters.core.failures import failed_record, record_of_error
from openrouter_adapters.core.records import ANSWERED, LEFT, CallRecord
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.wire import known

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
    error: BaseException, facts: Mapping[str, Any], so_far: Callable[[], Reply] | None, *, whole: bool
) -> list[CallRecord]:
    """The tries of a call that ended without a whole answer; none where nothing was sent.

    Args:
        error: what ended it.
        facts: fields that all records have.
        so_far: gives what had arrived of a stream, once it was open.
        whole: whether the answer was there, where the caller left.
    """
    from openrouter_adapters.core import errors

    if isinstance(error, errors.OpenRouterError):
        tries = [one for one in (*error.failed_tries, error) if not isinstance(one, errors.BudgetExceededError)]
        return [record_of_error(CallRecord(**facts), one) for one in tries]
    left = ANSWERED if whole else LEFT
    if so_far is not None:
        return of_answer(so_far(), facts, left)
    if isinstance(error, Exception):  # a mistake that was found before anything was sent
        return []
    return [CallRecord(**facts, outcome=left, priced=False)]


# -------------------------------------------------------------------------------------------------------- telling
