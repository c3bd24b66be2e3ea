"""Records of tries that failed, by what an answer or an error says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openrouter_adapters.core.records import CallRecord
from openrouter_adapters.core.tries import failure
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import int_of, text_of

if TYPE_CHECKING:
    from openrouter_adapters.core.errors import OpenRouterError


def failed_record(record: CallRecord, told: Mapping[str, Any]) -> CallRecord:
    """The record of a failed try, by what an answer says of it.

    Args:
        record: what is known of the call.
        told: what `core.tries.failure` made of it.
    """
    made = record.used(Usage.from_wire(told.get("token_usage")))
    return replace(
        made,
        # Of one that said nothing of its cost, the model is the one that was asked.
        model=text_of(told.get("model")) if made.cost is not None else None,
        provider=text_of(told.get("provider")),
        id=text_of(told.get("id")),
        served=told.get("may_be_charged") is True,
        outcome=text_of(told.get("error")) or "OpenRouterError",
        status_code=int_of(told.get("status_code")),
    )


def record_of_error(record: CallRecord, error: OpenRouterError) -> CallRecord:
    """The record of a failed try, by its error, which has what had arrived of an answer."""
    partial = error.partial
    return replace(failed_record(record, failure(error)), model=partial.model if partial else None)
