"""Refusals: error bodies in OpenRouter's shape, as data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Problem", "Refused"]

USER_ID = "user_local"


@dataclass(frozen=True)
class Problem:
    """An HTTP error to be: a status and what its body says.

    Attributes:
        status: the HTTP status and, unless ``code`` differs, ``error.code``.
        message: ``error.message``.
        metadata: ``error.metadata``; absent when None.
        availability: ``error.availability``; absent when None.
        headers: extra response headers.
        code: ``error.code`` where it is not the status.
        user_id: the account the body names; absent when None.
    """

    status: int
    message: str
    metadata: Mapping[str, Any] | None = None
    availability: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    code: int | str | None = None
    user_id: str | None = USER_ID

    def error(self) -> dict[str, Any]:
        """The object that stands under ``error``."""
        error: dict[str, Any] = {"message": self.message, "code": self.status if self.code is None else self.code}
        if self.metadata is not None:
            error["metadata"] = dict(self.metadata)
        if self.availability is not None:
            error["availability"] = dict(self.availability)
        return error

    def body(self) -> dict[str, Any]:
        """The whole JSON body."""
        user = {} if self.user_id is None else {"user_id": self.user_id}
        return {"error": self.error(), **user}

    def with_metadata(self, **metadata: Any) -> "Problem":
        """The same problem with more ``metadata``."""
        return replace(self, metadata={**(self.metadata or {}), **metadata})


class Refused(Exception):
    """Raised where an answer is made, when there is none: the refusal to send in its place."""

    def __init__(self, problem: Problem) -> None:
        """Refuse with a problem."""
        super().__init__(problem.message)
        self.problem = problem


def upstream(status: int, provider_name: str, raw: Any, **metadata: Any) -> Problem:
    """What a provider said, wrapped the way OpenRouter wraps it: the real cause is in ``metadata.raw``."""
    return Problem(status, "Provider returned error", {"raw": raw, "provider_name": provider_name, **metadata})


def json_in_a_string(message: str, type: str, **more: Any) -> str:
    """An upstream's own error body, as text."""
    return json.dumps({"error": {"message": message, "type": type, **more}}, indent=2)


def invalid(message: str) -> Problem:
    """A request that OpenRouter itself finds wrong."""
    return Problem(400, message, {"provider_name": None})


def unknown_model(model: str) -> Problem:
    """A model nobody has heard of: 400 on today's wire."""
    return Problem(400, f"{model} is not a valid model ID")


def no_endpoints(message: str, models: list[str], code: str, excluded_by: list[str] | None = None) -> Problem:
    """A routing failure, with the reason spelled out under ``availability``."""
    availability = {"code": code, "retryable": False, "requested_models": models, "excluded_by": excluded_by or []}
    return Problem(404, message, {"error_type": "not_found"}, availability)


def wrong_endpoint(model: str) -> Problem:
    """A model that is asked for something it does not put out."""
    availability = {"code": "wrong_endpoint", "retryable": False, "requested_models": [model]}
    return Problem(400, f"{model} is not available on this endpoint", availability=availability)


MISSING_KEY = Problem(401, "Missing Authentication header", user_id=None)
WRONG_KEY = Problem(401, "User not found.", user_id=None)
NOT_FOUND = Problem(404, "Not Found", user_id=None)
