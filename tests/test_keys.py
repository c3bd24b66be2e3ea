"""A key that was given travels with a pickled model; one of the environment is read again where it wakes up."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from openrouter_adapters import langchain, llamaindex
from openrouter_adapters.core.arguments import key_text
from openrouter_adapters.core.model import OpenRouterModel

CLASSES: list[type[OpenRouterModel]] = [
    langchain.ChatOpenRouter,
    langchain.OpenRouterEmbeddings,
    langchain.OpenRouterRerank,
    llamaindex.OpenRouter,
    llamaindex.OpenRouterEmbedding,
    llamaindex.OpenRouterRerank,
]
classes = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__.split('.')[1]}-{cls.__name__}")

GIVEN, HERE, THERE = "sk-or-given", "sk-or-of-this-machine", "sk-or-of-that-machine"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[OpenRouterModel], tuple[bytes, str]]:
    """A model pickled here and woken up on another machine: the pickle, and the key there."""
    monkeypatch.setenv("OPENROUTER_API_KEY", HERE)

    def wake(model: OpenRouterModel) -> tuple[bytes, str]:
        stored = pickle.dumps(model)
        monkeypatch.setenv("OPENROUTER_API_KEY", THERE)
        woken = pickle.loads(stored)
        key, again = key_text(woken.api_key), key_text(pickle.loads(pickle.dumps(woken)).api_key)
        assert again == key, "a pickle of a pickle"
        return stored, key

    return wake


def assigned(model: OpenRouterModel, key: Any) -> OpenRouterModel:
    model.api_key = key
    return model


Wake = Callable[[OpenRouterModel], tuple[bytes, str]]
CHANGES: dict[str, Callable[[OpenRouterModel, str], OpenRouterModel]] = {
    "assigned": lambda model, key: assigned(model, SecretStr(key)),
    "assigned as text": assigned,
    "copied": lambda model, key: model.model_copy(update={"api_key": SecretStr(key)}),
    "deep copied": lambda model, key: assigned(copy.deepcopy(model), SecretStr(key)),
    "assigned to a woken one": lambda model, key: assigned(pickle.loads(pickle.dumps(model)), SecretStr(key)),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@classes
@changes
def test_a_key_set_later_travels(cls: type[Any], change: Callable[[Any, str], Any], elsewhere: Wake) -> None:
    stored, key = elsewhere(change(cls(model="a/b"), GIVEN))
    assert key == GIVEN
    assert HERE.encode() not in stored


@classes
@changes
def test_the_environments_key_set_later_stays_behind(
    cls: type[Any], change: Callable[[Any, str], Any], elsewhere: Wake
) -> None:
    stored, key = elsewhere(change(cls(model="a/b", api_key=GIVEN), HERE))
    assert key == THERE
    assert HERE.encode() not in stored and GIVEN.encode() not in stored


@classes
def test_the_environments_key_stays_behind_when_the_environment_has_changed_since(
    cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", HERE)
    model = cls(model="a/b")
    monkeypatch.setenv("OPENROUTER_API_KEY", THERE)
    assert HERE.encode() not in pickle.dumps(model)
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert HERE.encode() not in pickle.dumps(model)


@classes
def test_a_given_key_travels_though_the_environment_has_it_by_now(
    cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = cls(model="a/b", api_key=GIVEN)
    monkeypatch.setenv("OPENROUTER_API_KEY", GIVEN)
    assert GIVEN.encode() in pickle.dumps(model)


@pytest.mark.parametrize("cls", [llamaindex.OpenRouter, llamaindex.OpenRouterEmbedding])
def test_a_key_in_additional_kwargs_travels(cls: type[Any], elsewhere: Wake) -> None:
    assert elsewhere(cls(model="a/b", additional_kwargs={"api_key": GIVEN}))[1] == GIVEN
