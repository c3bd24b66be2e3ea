"""The explicit refresh of the catalogue: the one place where models' facts come from the network."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from openrouter_adapters.core import catalog
from openrouter_adapters.core.arguments import checked_address, from_variables, key_text
from openrouter_adapters.core.lookup import look_up
from openrouter_adapters.core.options import DEFAULT_BASE_URL


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
        path: the cached copy; by default ``openrouter-adapters/models.json`` in the user's cache folder, with a stamp
            in its name for any address but OpenRouter's own.
        timeout: seconds to connect, and between two bytes.

    Returns:
        How many models were loaded; 0 when it failed.
    """
    address = checked_address(base_url or from_variables("base_url") or DEFAULT_BASE_URL)
    fetch = partial(fetch_listing, base_url=base_url, timeout=timeout)
    return catalog.refresh(fetch, max_age=max_age, path=path if path is not None else _copy_of(address))


def _copy_of(address: str) -> Path | None:
    """An address's cached copy; None for OpenRouter's, which is the catalogue's own, and where nothing can be kept."""
    with suppress(RuntimeError):  # there is no home directory: the catalogue warns of that
        return None if address == DEFAULT_BASE_URL else catalog.cache_path(address)
    return None


def fetch_listing(*, base_url: str | None = None, timeout: float = 30.0, query: str = "") -> dict[str, Any]:
    """The JSON body of ``GET /models``, as it comes. The environment's key goes where `refresh_catalog` sends it.

    Args:
        base_url: as for `refresh_catalog`.
        timeout: as for `refresh_catalog`.
        query: the query, such as ``output_modalities=all``; without one, the models that make text are listed.

    Raises:
        ValueError: ``base_url`` is no web address.
        OpenRouterError: the request failed.
    """
    own = from_variables("base_url") or DEFAULT_BASE_URL
    asked_at = checked_address(base_url or own)
    trusted = asked_at in (DEFAULT_BASE_URL, own.strip().rstrip("/"))
    return look_up(
        f"/models?{query}" if query else "/models",
        lambda body: body,
        base_url=asked_at,
        api_key=SecretStr(key_text(from_variables("api_key")) if trusted else ""),
        timeout=timeout,
    )
