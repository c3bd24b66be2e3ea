"""``openrouter-adapters compare``."""

from __future__ import annotations

from openrouter_adapters.cli.connection import ApiKey, BaseUrl


def compare(base_url: BaseUrl = None, api_key: ApiKey = None) -> None:
    """Ask several models the same, side by side."""
    raise ValueError("not here yet")
