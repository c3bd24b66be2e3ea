"""LlamaIndex's instrument tags as words to sum costs by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llama_index_instrumentation.dispatcher import active_instrument_tags  # comes with llama-index-core

from openrouter_adapters.core.request import Request

_OF_LLAMAINDEX = "llamaindex."  # such as llamaindex.run_id, another for each run of a workflow


def words_of(tags: Mapping[str, object]) -> tuple[str, ...]:
    """Instrument tags as ``key:value``, without those that LlamaIndex sets itself."""
    from openrouter_adapters.core.records import tags_of

    return tags_of({key: value for key, value in tags.items() if not str(key).startswith(_OF_LLAMAINDEX)})


def tagged(request: Request) -> Request:
    """The request with the tags that ``instrument_tags({...})`` has set around the call."""
    active = active_instrument_tags.get()
    return replace(request, tags=words_of(active)) if active else request
