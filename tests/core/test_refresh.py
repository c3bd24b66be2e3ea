"""The explicit refresh asks once, remembers on disk, and never breaks what is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openrouter_adapters import refresh_catalog
from openrouter_adapters.core import catalog
from openrouter_adapters.gateway import LocalGateway


@pytest.fixture(autouse=True)
def catalogue_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_models", catalog._models)


def test_a_refresh_brings_the_models_that_are_sold(openrouter_gateway: LocalGateway, tmp_path: Path) -> None:
    openrouter_gateway.serve("new-vendor/new-model")
    assert catalog.find("new-vendor/new-model") is None
    copy = tmp_path / "cache" / "models.json"
    count = refresh_catalog(base_url=openrouter_gateway.base_url, path=copy)
    assert count > 0 and catalog.find("new-vendor/new-model") is not None
    assert len(json.loads(copy.read_bytes())["data"]) == count
    assert "authorization" not in openrouter_gateway.requests[0].headers
    assert refresh_catalog(base_url=openrouter_gateway.base_url, path=copy) == count
    assert len(openrouter_gateway.requests) == 1, "the cached copy is young enough"


def test_a_refresh_that_fails_warns_once_and_leaves_what_is_known(
    openrouter_gateway: LocalGateway, tmp_path: Path
) -> None:
    openrouter_gateway.fault("html", path="/models")
    with pytest.warns(UserWarning, match="not refreshed") as caught:
        assert refresh_catalog(base_url=openrouter_gateway.base_url, path=tmp_path / "models.json") == 0
    assert len(caught) == 1 and catalog.find("openai/gpt-4o") is not None


@pytest.mark.parametrize("given", [{}, {"base_url": "the environment's"}, {"base_url": "another"}])
def test_the_environments_key_goes_to_no_other_address(
    given: dict[str, str], openrouter_gateway: LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-env")
    elsewhere = given.get("base_url") == "another"
    monkeypatch.setenv("OPENROUTER_BASE_URL", "https://example.com/v1" if elsewhere else openrouter_gateway.base_url)
    refresh_catalog(path=tmp_path / "models.json", **({"base_url": openrouter_gateway.base_url + "/"} if given else {}))
    assert [request.key for request in openrouter_gateway.requests] == ["" if elsewhere else "sk-env"]


def test_each_address_has_a_copy_of_its_own(
    openrouter_gateway: LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a gateway sells is not what OpenRouter sells, and costs something else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with LocalGateway() as another:
        another.serve("new-vendor/new-model")
        for gateway in (openrouter_gateway, another, openrouter_gateway, another):
            assert refresh_catalog(base_url=gateway.base_url) > 0
        assert [len(gateway.requests) for gateway in (openrouter_gateway, another)] == [1, 1]
    assert len(list(catalog.cache_path().parent.iterdir())) == 2
    assert not catalog.cache_path().exists(), "that is OpenRouter's own"
