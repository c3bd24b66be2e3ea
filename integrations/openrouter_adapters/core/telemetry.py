"""OpenTelemetry, when asked for: a span for each call, by the semantic conventions for generative AI; never content.

Nothing of opentelemetry is loaded before `trace_calls` is called.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from openrouter_adapters.core.recording import Recording
from openrouter_adapters.core.records import ANSWERED, LEFT, CallRecord

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class CallTracing(Recording):
    """Makes a span of each call while it runs. A context manager: it stops at the end. Made by `trace_calls`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        from openrouter_adapters import __version__

        super().__init__(provider)
        self._tracer = provider.get_tracer("openrouter_adapters", __version__)
        self._kind = SpanKind.CLIENT
        self._failed = StatusCode.ERROR
        self._status = Status

    @override
    def append(self, record: CallRecord) -> None:
        """Make the span of one call, as a child of the one that is current; none of a settled one, which has one."""
        if record.settled:
            return
        operation = _operation(record)
        begun = (record.time - _EPOCH) // _MICROSECOND * 1000
        span = self._tracer.start_span(
            f"{operation} {record.requested_model}" if record.requested_model else operation,
            kind=self._kind,
            attributes=attributes_of(record),
            start_time=begun,
        )
        if _has_failed(record):
            # The error's message may quote what was asked; its name does not.
            span.set_status(self._status(self._failed, record.outcome))
        span.end(end_time=begun + round(record.seconds * 1e9))


def trace_calls(tracer_provider: TracerProvider | None = None) -> CallTracing:
    """From now on, make an OpenTelemetry span of every call of this process: of each request, retries included.

    A span is a child of the one that was current when the request began. It tells of model, provider, tokens and cost,
    never of content. What a call cost is not in its span when that became known only later. Needs the extra ``otel``.

    Args:
        tracer_provider: where the spans go; by default the global one.

    Returns:
        What undoes it: ``stop()``, or its ``with`` block. Asked for twice, a span is made once, until both are stopped.

    Raises:
        ImportError: opentelemetry is not installed.
    """
    try:
        from opentelemetry.trace import get_tracer_provider
    except ImportError as error:
        raise ImportError(
            "trace_calls() needs OpenTelemetry: pip install 'openrouter-adapters[otel]', and an SDK that exports spans"
        ) from error
    tracing = CallTracing(tracer_provider or get_tracer_provider())
    tracing.start()
    return tracing


def attributes_of(record: CallRecord) -> dict[str, AttributeValue]:
    """What a call's span says of it; what is unknown is absent."""
    tokens, known = record.tokens, bool(record.tokens.total)
    told: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": _operation(record),
        "gen_ai.provider.name": "openrouter",
        "gen_ai.request.model": record.requested_model,
        "gen_ai.response.model": record.model,
        "gen_ai.response.id": record.id,
        "gen_ai.usage.input_tokens": tokens.input if known else None,
        "gen_ai.usage.output_tokens": tokens.output if known else None,
        "gen_ai.usage.cache_read.input_tokens": tokens.cached or None,
        "gen_ai.usage.cache_creation.input_tokens": tokens.cache_write or None,
        "gen_ai.usage.reasoning.output_tokens": tokens.reasoning or None,
        "openrouter.provider": record.provider,
        "openrouter.status_code": record.status_code,
        "openrouter.tags": record.tags or None,
        "openrouter.unpriced": record.unpriced or None,
        "error.type": record.outcome if _has_failed(record) else None,
        **_costs(record),
    }
    return {name: value for name, value in told.items() if value is not None}


def _costs(record: CallRecord) -> dict[str, AttributeValue]:
    """The proposed convention's names, and the one that is read today."""
    if record.cost is None:
        return {}
    amount = float(record.cost)
    return {
        "gen_ai.usage.cost": amount,
        "gen_ai.usage.cost.amount": amount,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "provider",
    }


def _operation(record: CallRecord) -> str:
    """What the last part of the path but ``completions`` calls it."""
    return record.endpoint.removesuffix("/completions").rpartition("/")[2]


def _has_failed(record: CallRecord) -> bool:
    return record.outcome not in (ANSWERED, LEFT)
