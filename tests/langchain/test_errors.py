"""Every error is core's, openai's and LangChain's at once."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import openai
import pytest
from langchain_core import exceptions as langchain

from openrouter_adapters.core import errors as core
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import errors as ours

KINDS = {
    "AuthenticationError": langchain.ModelAuthenticationError,
    "PermissionDeniedError": langchain.ModelPermissionDeniedError,
    "ModerationError": langchain.ModelPermissionDeniedError,
    "InvalidRequestError": langchain.ModelInvalidRequestError,
    "UnprocessableRequestError": langchain.ModelInvalidRequestError,
    "ContextOverflowError": langchain.ContextOverflowError,
    "NotFoundError": langchain.ModelNotFoundError,
    "NoEndpointsError": langchain.ModelNotFoundError,
    "InsufficientCreditsError": langchain.ModelError,
    "RateLimitError": langchain.ModelRateLimitError,
    "APIConnectionError": langchain.ModelConnectionError,
    "APITimeoutError": langchain.ModelTimeoutError,
    "StallTimeoutError": langchain.ModelTimeoutError,
    "IncompleteStreamError": langchain.ModelAPIError,
    "ProviderError": langchain.ModelAPIError,
    "StreamInterruptedError": langchain.ModelAPIError,
    "MalformedResponseError": langchain.ModelAPIError,
    "StructuredOutputError": langchain.OutputParserException,
    "RefusalError": langchain.OutputParserException,
    "BudgetExceededError": langchain.ModelError,
}


def test_every_class_of_core_has_its_kind() -> None:
    named = {
        name: value
        for name, value in vars(core).items()
        if isinstance(value, type) and issubclass(value, core.OpenRouterError) and value is not core.OpenRouterError
    }
    assert set(named) == set(KINDS)
    for name, cls in named.items():
        assert ours.specialized(cls) is getattr(ours, name)
        assert issubclass(getattr(ours, name), cls)
        assert issubclass(getattr(ours, name), KINDS[name])
        assert issubclass(getattr(ours, name), openai.OpenAIError)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("retryable", [True, False, None])
def test_retryable_is_said_by_the_error_itself(name: str, retryable: bool | None) -> None:
    said = (Decimal(1), Decimal(1)) if name == "BudgetExceededError" else ("no",)
    error = getattr(ours, name)(*said, retryable=retryable, status_code=418)
    assert error.is_retryable is error.retryable is (error.transient if retryable is None else retryable)
    same = pickle.loads(pickle.dumps(error))
    assert type(same) is type(error)
    assert (same.is_retryable, same.status_code, str(same)) == (error.is_retryable, 418, str(error))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, langchain.ModelInvalidRequestError),
        (401, langchain.ModelAuthenticationError),
        (402, langchain.ModelError),
        (403, langchain.ModelPermissionDeniedError),
        (429, langchain.ModelRateLimitError),
        (502, langchain.ModelAPIError),
    ],
)
def test_raised_from_the_wire(model: Any, openrouter_gateway: LocalGateway, status: int, kind: type[Exception]) -> None:
    openrouter_gateway.reply(body={"error": {"code": status, "message": "no such luck"}}, status=status)
    with pytest.raises(kind, match="no such luck") as caught:
        model.invoke("hi")
    assert isinstance(caught.value, core.OpenRouterError)
    assert caught.value.status_code == status
    assert caught.value.is_retryable is (status in (429, 502))  # type: ignore[attr-defined]


def test_an_error_under_200(model: Any, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(body={"error": {"code": 429, "message": "slow down"}})
    with pytest.raises(langchain.ModelRateLimitError, match="slow down"):
        model.invoke("hi")


def test_a_stream_broken_off(model: Any, openrouter_gateway: LocalGateway) -> None:
    choice = {"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}
    events = [{"choices": [choice]}, {"choices": [], "error": {"code": 502, "message": "gone"}}, "data: [DONE]"]
    openrouter_gateway.reply(events=events)
    said = []
    with pytest.raises(ours.StreamInterruptedError, match="gone") as caught:
        for chunk in model.stream("hi"):
            said.append(chunk.text)
    assert said == ["Hel"]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"
