"""The explicit refresh of the catalogue: the one place where models' facts come from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from openrouter_adapters.core import catalog
from openrouter_adapters.core.arguments import checked_address, from_variables, key_text, split_user
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.options import DEFAULT_BASE_URL, DEFAULT_MAX_RETRIES
from openrouter_adapters.core.request import Request


def refresh_catalog(
    *,
    base_url: str | None = None,
    max_age: float = catalog.DAY,
    path: Path | str | None = None,
    timeout: float = 30.0,
) -> int:
    """Bring the facts about models (window, limits, prices, abilities) up to date, for the whole process.

    Takes the cached copy if it is young enough, otherwise asks ``GET /models`` and saves the answer. A refresh that
    fails leaves what is known and gives one warning. Needs no key; the environment's goes to OpenRouter itself or to
    the environment's address, nowhere else. https://openrouter.ai/docs/api-reference/models

    Args:
        base_url: where to ask; the environment's (OPENROUTER_BASE_URL), or else OpenRouter itself.
        max_age: the age at which a cached copy is too old, in seconds; 0 always asks.
        path: the cached copy; by default ``openrouter-adapters/models.json`` in the user's cache folder.
        timeout: seconds to connect, and between two bytes.

    Returns:
        How many models were loaded; 0 when it failed.
    """
    own = from_variables("base_url") or DEFAULT_BASE_URL
    asked_at = checked_address(base_url or own)
    trusted = asked_at in (DEFAULT_BASE_URL, own.strip().rstrip("/"))
    address, basic = split_user(asked_at)
    asked = Request(
        body={},
        api_key=SecretStr(key_text(from_variables("api_key")) if trusted else ""),
        base_url=address,
        basic=basic,
        timeout=timeout,
        max_retries=DEFAULT_MAX_RETRIES,
        path="/models",
        method="get",
    )
    client = Client()

    def fetch() -> dict[str, Any]:
        try:
            return client.fetch(asked, lambda body: body).content
        finally:
            client.close()

    return catalog.refresh(fetch, max_age=max_age, path=path)
