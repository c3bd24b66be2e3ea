"""The tags of a run, by which its cost is summed: those that somebody gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

RUN_TAGS = "_run_tags"
"""The keyword by which a run's tags get to a method that core tells nothing of the run. Not sent, traced or cached."""

# What chains, graphs, branches, retries and tracers tag their steps with.
_OF_FRAMEWORK = re.compile(
    r"(seq|graph):step:-?\d+|map:key:.*|condition:\d+|branch:(\d+|default)|retry:attempt:\d+|langsmith:.*|nostream",
    re.S,
)


def given_tags(tags: Iterable[str] | None) -> tuple[str, ...]:
    """A run's tags, each once, without those that LangChain and LangGraph give to the steps of chains and graphs."""
    return tuple(tag for tag in dict.fromkeys(tags or ()) if not _OF_FRAMEWORK.fullmatch(tag))


def tags_to_come(config: RunnableConfig | None, own: Iterable[str] | None) -> tuple[str, ...]:
    """The tags that a model's run is going to have.

    Args:
        config: what the model is called with.
        own: the model's own tags.
    """
    config = ensure_config(config)
    callbacks = config.get("callbacks")
    inherited = callbacks.tags if isinstance(callbacks, BaseCallbackManager) else ()
    return given_tags([*inherited, *(config.get("tags") or ()), *(own or ())])


def with_tags(call: Mapping[str, Any], tags: tuple[str, ...]) -> dict[str, Any]:
    """The keywords of a call, and its run's tags; without any, nothing is added."""
    return {**call, RUN_TAGS: tags} if tags else {**call}


def tags_of_run(call: Mapping[str, Any], run: Any) -> tuple[str, ...]:
    """The tags of the run that a method is called in.

    Args:
        call: the method's keywords.
        run: its run manager, where there is one.
    """
    return call.get(RUN_TAGS) or given_tags(getattr(run, "tags", None))
