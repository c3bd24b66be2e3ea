"""What cannot be right is refused before anything is sent, by name, and without showing what may be a secret."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import Request, build_request

MESSAGES = [{"role": "user", "content": "hi"}]


def options(**given: Any) -> OpenRouterOptions:
    return OpenRouterOptions(**{"api_key": "k", **given})


def asked(**call: Any) -> Request:
    return build_request(options(), call, MESSAGES)


# ------------------------------------------------------------------------------------------------ secrets, addresses


@pytest.mark.parametrize("given", [{"default_headers": {"X": ["very-secret"]}}, {"base_url": ["very-secret"]}])
def test_a_refused_value_is_not_in_the_context_of_its_error(given: dict[str, Any]) -> None:
    """What trackers of errors read: the whole chain, not only what is printed."""
    with pytest.raises(ValueError) as at_construction:
        options(**given)
    with pytest.raises(ValueError) as at_call:
        asked(**given)
    for caught in (at_construction.value, at_call.value):
        assert caught.__context__ is caught.__cause__ is None
        assert "very-secret" not in f"{caught!r}" and next(iter(given)) in str(caught)


def test_pydantics_own_errors_show_no_input() -> None:
    with pytest.raises(ValueError) as caught:
        OpenRouterOptions.__pydantic_validator__.validate_assignment(options(), "default_headers", ["very-secret"])
    assert "very-secret" not in str(caught.value)
