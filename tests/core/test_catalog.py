"""The model catalogue: reading listings, finding models, telling models apart, refreshing."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core import catalog, catalog_profiles, catalog_snapshot
from openrouter_adapters.core.catalog import Model, find, load, load_cached, refresh, same_model, save
from tools import make_catalog, make_profiles

ITEM = {
    "id": "vendor/novel-2",
    "canonical_slug": "vendor/novel-2-20260102",
    "name": "Vendor: Novel 2",
    "context_length": 8000,
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": []},
    "pricing": {
        "prompt": "0.0000001",
        "completion": "-1",
        "request": "0",
        "discount": 0.5,
        "overrides": [{"prompt": "1"}],
    },
    "top_provider": {"context_length": 4000, "max_completion_tokens": None},
    "supported_parameters": ["tools"],
    "reasoning": {"mandatory": True, "supported_efforts": ["high", "low"], "default_effort": "low"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def listing(*slugs: str, **facts: Any) -> dict[str, Any]:
    return {"data": [{"id": slug, **facts} for slug in slugs]}


def unreachable() -> Any:
    raise OSError("no network")


@pytest.fixture(autouse=True)
def fresh_catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(catalog, "_models", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


class TestFromWire:
    def test_reads_every_fact(self) -> None:
        model = Model.from_wire(ITEM)
        assert (model.id, model.canonical_slug, model.name) == (ITEM["id"], ITEM["canonical_slug"], ITEM["name"])
        assert (model.context_length, model.provider_context_length, model.max_completion_tokens) == (8000, 4000, None)
        assert model.prices == {"prompt": Decimal("0.0000001"), "request": Decimal(0)}
        assert (model.prices.get("prompt"), model.prices.get("completion")) == (Decimal("1E-7"), None)
        assert model.reasoning is not None
        assert (model.reasoning.mandatory, model.reasoning.supported_efforts) == (True, ("high", "low"))
        assert (model.reasoning.default_effort, model.reasoning.supports_max_tokens) == ("low", None)

    def test_unknown_is_not_none_at_all(self) -> None:
        known, unknown = Model.from_wire(ITEM), Model.from_wire({})
        assert (known.reads("image"), known.reads("audio"), unknown.reads("image")) == (True, False, None)
        assert (known.makes("text"), unknown.makes("text")) == (False, None)
        assert (known.supports("tools"), known.supports("seed"), unknown.supports("tools")) == (True, False, None)
        assert unknown == Model(id="")

    def test_mistyped_fields_are_unknown(self) -> None:
        wrong = dict.fromkeys(ITEM, 7) | {"context_length": "8000", "supported_parameters": [1, 2]}
        assert Model.from_wire(wrong | {"id": "v/n"}) == Model(id="v/n")
        assert Model.from_wire({"id": "v/n", "context_length": 0, "top_provider": {"context_length": -1}}).id == "v/n"

    @given(JSON)
    def test_never_raises(self, item: Any) -> None:
        assert isinstance(Model.from_wire(item), Model)
        assert isinstance(hash(Model.from_wire(item)), int)

    @given(st.fixed_dictionaries({}, optional={key: JSON for key in ITEM}))
    def test_never_raises_field_by_field(self, item: dict[str, Any]) -> None:
        model = Model.from_wire(item)
        assert all(price >= 0 for price in model.prices.values())
        assert model.context_length is None or model.context_length > 0

    @given(st.dictionaries(st.sampled_from([*ITEM["pricing"], "image"]), JSON))
    def test_never_raises_over_prices(self, pricing: dict[str, Any]) -> None:
        assert all(isinstance(price, Decimal) for price in Model.from_wire({"pricing": pricing}).prices.values())

    @given(JSON)
    def test_a_listing_of_anything_loads(self, body: Any) -> None:
        assert load(body) >= 0


class TestFind:
    def test_by_id_canonical_slug_and_prefix(self) -> None:
        by_id = find("anthropic/claude-sonnet-4")
        assert by_id is not None and by_id.context_length == 1_000_000
        assert find("anthropic/claude-4-sonnet-20250522") is by_id
        assert find("openrouter/anthropic/claude-sonnet-4") is by_id
        assert find("Anthropic/Claude-Sonnet-4") is by_id

    @pytest.mark.parametrize("variant", ["free", "nitro", "floor", "online", "thinking", "extended", "exacto", "batch"])
    def test_a_variant_is_its_model_unless_it_is_listed(self, variant: str) -> None:
        slug = f"openai/gpt-4o:{variant}"
        assert find(slug) is find("openai/gpt-4o")
        load(listing(slug, context_length=5, canonical_slug="openai/gpt-4o"))
        assert (own := find(slug)) is not None and own.context_length == 5
        assert (plain := find("openai/gpt-4o")) is not None and plain.context_length == 128_000

    @pytest.mark.parametrize(
        "slug",
        [
            "",
            "gpt-4o",
            "openrouter/auto",
            "openrouter/auto:free",
            "@preset/mine",
            "openai/gpt-4o@preset/mine",
            "openai/gpt-4o:free@preset/mine",
            "~openai/gpt-latest",
            "vendor/unheard-of",
            ":free",
        ],
    )
    def test_what_is_not_listed_is_unknown(self, slug: str) -> None:
        assert find(slug) is None

    def test_a_listed_router_is_found(self) -> None:
        load(listing("openrouter/auto", "~openai/gpt-latest"))
        assert find("openrouter/auto") and find("~openai/gpt-latest")

    @given(st.text(max_size=40))
    def test_any_text_will_do(self, slug: str) -> None:
        assert find(slug) is None or find(slug) is find(slug)


RECORDED_PAIRS = [
    ("anthropic/claude-haiku-4.5", "anthropic/claude-4.5-haiku-20251001"),
    ("anthropic/claude-sonnet-4-5", "anthropic/claude-4.5-sonnet-20250929"),
    ("anthropic/claude-sonnet-4.6", "anthropic/claude-4.6-sonnet-20260217"),
    ("anthropic/claude-3.7-sonnet:thinking", "anthropic/claude-3.7-sonnet:thinking"),
    ("cohere/rerank-v3.5", "rerank-v3.5"),
    ("deepseek/deepseek-v3.2", "deepseek/deepseek-v3.2-20251201"),
    ("google/gemini-3-flash-preview", "google/gemini-3-flash-preview-20251217"),
    ("minimax/minimax-m2:free", "minimax/minimax-m2:free"),
    ("openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07"),
    ("openai/o4-mini", "openai/o4-mini-2025-04-16"),
    ("openai/text-embedding-3-small", "text-embedding-3-small"),
]
SAME = [
    *RECORDED_PAIRS,
    ("openai/gpt-4o", "openai/gpt-4o-2024-08-06"),
    ("openai/gpt-4o:nitro", "openai/gpt-4o"),
    ("openai/gpt-4o", "openai/gpt-4o:free"),
    ("openrouter/openai/gpt-4o", "openai/gpt-4o"),
    ("deepseek/deepseek-chat-v3-0324", "deepseek/deepseek-chat-v3-0324"),
    ("deepseek/deepseek-chat-v3-0324:free", "deepseek/deepseek-chat-v3-0324"),
    ("anthropic/claude-sonnet-4", "anthropic/claude-4-sonnet-20250522"),
    ("openai/gpt-4.1-mini-2025-04-14", "openai/gpt-4.1-mini"),
    ("x-ai/grok-4", "x-ai/grok-4-07-09"),
    ("openrouter/horizon", "openrouter/horizon"),
]
OTHER = [
    ("openai/gpt-4o", "openai/gpt-4o-mini"),
    ("openai/gpt-4o", "openai/gpt-4o-mini-2024-07-18"),
    ("openai/gpt-4o-2024-05-13", "openai/gpt-4o-2024-08-06"),
    ("openai/o1", "openai/o1-pro"),
    ("anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4.5"),
    ("anthropic/claude-sonnet-4", "anthropic/claude-4.5-sonnet-20250929"),
    ("anthropic/claude-sonnet-4.5", "anthropic/claude-opus-4.5"),
    ("google/gemini-2.5-flash", "google/gemini-2.5-flash-lite"),
    ("google/gemini-2.0-flash-exp:free", "x-ai/grok-4"),
    ("deepseek/deepseek-v3", "deepseek/deepseek-v3.2-20251201"),
    ("cohere/rerank-v3.5", "rerank-v4.5"),
    ("vendor/n-4.5", "vendor/n-5.4"),
]
OPEN = [
    ("openrouter/auto", "openai/gpt-4o"),
    ("openrouter/free", "minimax/minimax-m2:free"),
    ("@preset/mine", "openai/gpt-4o"),
    ("openai/gpt-4o@preset/mine", "openai/gpt-4o"),
    ("~anthropic/claude-sonnet-latest", "anthropic/claude-4.6-sonnet-20260217"),
    ("openai/chatgpt-latest", "openai/gpt-4o"),
    ("vendor/novel-r1", "vendor/novel-r1-0528"),
    ("deepseek/deepseek-chat", "deepseek/deepseek-chat-v3"),
    ("thudm/glm-4", "z-ai/glm-4"),
    ("openai/gpt-4o", ""),
    ("", ""),
]


class TestSameModel:
    @pytest.mark.parametrize(
        ("asked", "served", "same"),
        [(*pair, True) for pair in SAME] + [(*pair, False) for pair in OTHER] + [(*pair, None) for pair in OPEN],
    )
    def test_is_told(self, asked: str, served: str, same: bool | None) -> None:
        assert same_model(asked, served) is same

    def test_two_entries_are_two_models(self) -> None:
        load(listing("deepseek/deepseek-r1", "deepseek/deepseek-r1-0528"))
        assert same_model("deepseek/deepseek-r1", "deepseek/deepseek-r1-0528") is False

    def test_the_catalogue_knows_better_than_words(self) -> None:
        load(listing("vendor/alias", canonical_slug="vendor/proper-name"))
        assert same_model("vendor/alias", "vendor/proper-name") is True
        assert same_model("vendor/alias", "vendor/proper-name-20260101") is True

    @given(st.text(max_size=30), st.text(max_size=30))
    def test_any_text_will_do(self, asked: str, served: str) -> None:
        assert same_model(asked, served) in (True, False, None)

    def test_every_recorded_pair(self, captures: list[dict[str, Any]]) -> None:
        pairs = {pair for capture in captures for pair in recorded_pairs(capture)}
        assert len(pairs) > 30
        told = {(asked, served): same_model(asked, served) for asked, served in pairs}
        different = {pair for pair, same in told.items() if same is not True}
        # The one recorded fallback; every other answer came from the model that was asked for.
        assert different == {("google/gemini-2.0-flash-exp:free", "x-ai/grok-4")}


def recorded_pairs(capture: dict[str, Any]) -> set[tuple[str, str]]:
    """Every (asked, served) pair of slugs in a recording, streamed or not."""
    pairs = set()
    for exchange in capture["interactions"]:
        asked = (exchange["request"]["body"] or {}).get("model")
        for body in (exchange["response"].get("body"), *events(exchange["response"])):
            if asked and isinstance(body, dict) and isinstance(body.get("model"), str):
                pairs.add((asked, body["model"]))
    return pairs


def events(response: dict[str, Any]) -> list[Any]:
    lines = [line for event in response.get("sse", ()) for line in event.split("\n")]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


class TestLoad:
    def test_extends_and_replaces(self) -> None:
        assert load(listing("vendor/novel-2", "openai/gpt-4o", context_length=1)) == 2
        assert (model := find("vendor/novel-2")) is not None and model.context_length == 1
        assert (model := find("openai/gpt-4o")) is not None and model.context_length == 1
        assert find("openai/gpt-3.5-turbo") is not None

    def test_takes_a_bare_list_and_passes_over_rubbish(self) -> None:
        assert load([{"id": "vendor/novel-2"}, None, {"id": 3}, {}, "x"]) == 1
        assert load({"error": {"code": 500}}) == 0
        assert load(None) == 0

    def test_changes_nothing_that_it_was_given(self) -> None:
        body = {"data": [json.loads(json.dumps(ITEM))]}
        load(body)
        assert body == {"data": [ITEM]}

    def test_from_many_threads_at_once(self) -> None:
        run_together([lambda n=n: load(listing(f"vendor/model-{n}")) for n in range(20)])
        assert all(find(f"vendor/model-{n}") for n in range(20))


def run_together(jobs: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestRefresh:
    def test_fetches_once_and_then_reads_its_copy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert refresh(lambda: listing("vendor/novel-2")) == 1
        monkeypatch.setattr(catalog, "_models", None)
        assert find("vendor/novel-2") is None
        assert refresh(unreachable) == 1
        assert find("vendor/novel-2") is not None

    def test_an_old_copy_is_fetched_anew(self, tmp_path: Path) -> None:
        copy = tmp_path / "deep" / "models.json"
        save(listing("vendor/old"), copy)
        os.utime(copy, (time.time() - 100,) * 2)
        assert load_cached(copy, max_age=50) == 0
        assert refresh(lambda: listing("vendor/new"), max_age=50, path=copy) == 1
        assert json.loads(copy.read_text()) == listing("vendor/new")
        assert [file.name for file in copy.parent.iterdir()] == ["models.json"]

    @pytest.mark.parametrize("fetch", [unreachable, lambda: {"error": {"code": 401}}, lambda: None])
    def test_a_failing_fetch_keeps_what_is_known_and_warns_once(self, fetch: Callable[[], Any]) -> None:
        load(listing("vendor/novel-2"))
        with pytest.warns(UserWarning, match="was not refreshed") as warned:
            assert refresh(fetch) == 0
        assert len(warned) == 1 and warned[0].filename == __file__
        assert find("vendor/novel-2") and find("openai/gpt-4o")
        assert not catalog.cache_path().exists()

    def test_a_copy_that_cannot_be_written_is_no_failure(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.warns(UserWarning, match="fresh, but was not saved"):
            assert refresh(lambda: listing("vendor/novel-2"), path=tmp_path / "file" / "models.json") == 1
        assert find("vendor/novel-2")

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'"x"'])
    def test_a_broken_copy_counts_for_nothing(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "models.json").write_bytes(content)
        assert load_cached(tmp_path / "models.json") == 0

    def test_an_unfinished_copy_is_never_seen(self, tmp_path: Path) -> None:
        save(listing("vendor/old"), tmp_path / "models.json")
        with pytest.raises(TypeError):
            save({"data": object()}, tmp_path / "models.json")
        assert [file.name for file in tmp_path.iterdir()] == ["models.json"]
        assert load_cached(tmp_path / "models.json") == 1

    def test_threads_that_come_together_fetch_once(self) -> None:
        fetched: list[int] = []

        def fetch() -> Any:
            fetched.append(1)
            time.sleep(0.02)
            return listing("vendor/novel-2")

        run_together([lambda: refresh(fetch)] * 4)
        assert len(fetched) == 1

    def test_the_copy_is_in_the_users_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert catalog.cache_path() == tmp_path / "openrouter-adapters" / "models.json"
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert catalog.cache_path() == tmp_path / ".cache" / "openrouter-adapters" / "models.json"


class TestSnapshot:
    def test_is_what_the_recordings_show(self, captures: list[dict[str, Any]]) -> None:
        recorded = make_catalog.models(captures)
        assert tuple(map(make_catalog.row, recorded)) == catalog_snapshot.ROWS
        assert list(map(Model.from_row, catalog_snapshot.ROWS)) == recorded

    def test_a_saved_listing_makes_a_module_that_reads_back(self) -> None:
        found = make_catalog.models([{"data": [ITEM, {"id": "vendor/bare"}]}, [{"id": "vendor/bare", "name": "later"}]])
        made: dict[str, Any] = {}
        exec(make_catalog.module(found, "2026-01-02", "a test"), made)
        assert list(map(Model.from_row, made["ROWS"])) == found
        assert [model.name for model in found] == ["later", "Vendor: Novel 2"]

    def test_has_one_line_per_model(self) -> None:
        lines = Path(catalog_snapshot.__file__).read_text().splitlines()
        assert sum(line.startswith("    ('") for line in lines) == len(catalog_snapshot.ROWS)

    def test_importing_and_asking_open_no_file_and_no_socket(self) -> None:
        """Python's own reading of modules apart: the hook is set when they are loaded."""
        script = (
            "import sys\nfrom openrouter_adapters.core import catalog\n"
            "seen = []\nsys.addaudithook(lambda event, _: seen.append(event))\n"
            "catalog.find('openai/gpt-4o:free'); catalog.same_model('a/b', 'a/c')\n"
            "print([event for event in seen if event.startswith(('open', 'socket', 'os.', 'import'))])"
        )
        source = Path(catalog.__file__).parents[2]
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=source)
        assert told.stdout.strip() == "[]"


class TestProfiles:
    def test_every_model_has_a_window_and_modalities(self) -> None:
        models = list(map(Model.from_profile, catalog_profiles.PROFILES))
        assert len(models) > 300
        assert len({model.id for model in models}) == len(models)
        for model in models:
            assert model.name and model.context_length and model.input_modalities and model.output_modalities
            assert model.supports("tools") is not None
            assert model.supports("seed") is None
            assert model.prices == {}

    def test_what_a_recorded_listing_says_counts_more(self) -> None:
        listed = find("openai/gpt-4o")
        assert listed and listed.prices and listed.supported_parameters
        known = find("anthropic/claude-sonnet-4.5:nitro")
        assert known and (known.context_length, known.supported_parameters) == (1_000_000, None)
        assert (known.supports("tools"), known.supports("structured_outputs")) == (True, True)

    def test_a_row_has_only_what_somebody_has_noted(self) -> None:
        profile = {"name": "A", "max_input_tokens": 5, "text_inputs": True, "tool_calling": False, "temperature": True}
        assert make_profiles.row("a/b", {**profile, "structured_output": False}) == (
            ("a/b", "A", 5, None, ("text",), (), ("temperature",), ("tools",))
        )


@pytest.mark.parametrize(
    ("slugs", "said"),
    [(["a/yes"], True), (["a/yes", "a/no"], False), (["a/unknown", "a/no"], False), (["a/yes", "a/unknown"], None)],
)
def test_what_several_models_support(monkeypatch: pytest.MonkeyPatch, slugs: list[str], said: bool | None) -> None:
    listed = {"a/yes": Model("a/yes", supported_parameters=("tools",)), "a/no": Model("a/no", supported_parameters=())}
    monkeypatch.setattr(catalog, "_models", listed)
    assert catalog.all_support(slugs, "tools") is said
    assert catalog.all_support([], "tools") is None
