"""Models' facts: context window, output limit, prices, modalities, supported parameters.

They come from two bundled tables: profiles of nearly all models, with the facts that matter most (`catalog_profiles`),
and whole listings of a few (`catalog_snapshot`); or from a fresher listing after an explicit `refresh`. Importing,
looking up and comparing never touch a disk or a network. A model that is not listed is simply
unknown: `find` gives None, and nothing is refused for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from openrouter_adapters.core import slugs
from openrouter_adapters.core.catalog_profiles import PROFILES
from openrouter_adapters.core.catalog_snapshot import ROWS
from openrouter_adapters.core.wire import bool_of, dict_of, int_of, money_of, text_of

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class ReasoningSupport:
    """How a model reasons (``reasoning`` in the listing). None means that the listing does not say.

    Attributes:
        mandatory: whether reasoning cannot be switched off.
        default_enabled: whether it reasons without being asked to.
        default_effort: the effort it uses when none is given, such as ``"medium"``.
        supported_efforts: the efforts it accepts.
        supports_max_tokens: whether a budget of reasoning tokens can be given.
    """

    mandatory: bool | None = None
    default_enabled: bool | None = None
    default_effort: str | None = None
    supported_efforts: tuple[str, ...] | None = None
    supports_max_tokens: bool | None = None

    @classmethod
    def from_wire(cls, value: Any) -> ReasoningSupport | None:
        """Read a listing's ``reasoning``; None when it is not an object."""
        if not isinstance(value, Mapping):
            return None
        return cls(
            mandatory=bool_of(value.get("mandatory")),
            default_enabled=bool_of(value.get("default_enabled")),
            default_effort=text_of(value.get("default_effort")),
            supported_efforts=_words(value.get("supported_efforts")),
            supports_max_tokens=bool_of(value.get("supports_max_tokens")),
        )


@dataclass(frozen=True, slots=True)
class Model:
    """One model of OpenRouter's listing (``GET /models``). None means unknown; an empty tuple means known to be none.

    Attributes:
        id: the slug that requests use; empty when the listing gives none.
        canonical_slug: the permanent, often dated slug, which answers may report as ``model``.
        name: the name for people.
        context_length: the largest context window of any provider, in tokens.
        provider_context_length: the window of the provider that is asked first, in tokens; may be smaller.
        max_completion_tokens: the longest answer of the provider that is asked first, in tokens.
        prices: USD by what is charged for: ``prompt``, ``completion``, ``input_cache_read`` and other wire names, each
            per token, but ``request``, ``image`` and ``web_search`` per piece. A variable price (``"-1"`` on the wire)
            is left out like an unknown one; free is zero. Conditional prices and discounts are not kept.
        input_modalities: what it reads: ``text``, ``image``, ``file``, ``audio`` ...
        output_modalities: what it makes.
        supported_parameters: the request options that at least one provider supports.
        reasoning: how it reasons; None when the listing says nothing of it.
        single_parameters: what is known of single request options, where the whole list of them is not.
    """

    id: str
    canonical_slug: str | None = None
    name: str | None = None
    context_length: int | None = None
    provider_context_length: int | None = None
    max_completion_tokens: int | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    supported_parameters: tuple[str, ...] | None = None
    reasoning: ReasoningSupport | None = None
    single_parameters: Mapping[str, bool] = field(default_factory=dict, hash=False)

    def reads(self, modality: str) -> bool | None:
        """Whether it takes this kind of input (``"image"``, say); None when unknown."""
        return None if self.input_modalities is None else modality in self.input_modalities

    def makes(self, modality: str) -> bool | None:
        """Whether it gives this kind of output; None when unknown."""
        return None if self.output_modalities is None else modality in self.output_modalities

    def supports(self, parameter: str) -> bool | None:
        """Whether some provider supports this request option (``"tools"``, say); None when unknown."""
        if self.supported_parameters is None:
            return self.single_parameters.get(parameter)
        return parameter in self.supported_parameters

    @classmethod
    def from_wire(cls, item: Any) -> Model:
        """Read one item of a listing. What is missing, null or of another type is unknown; nothing raises."""
        item = dict_of(item)
        architecture, provider = dict_of(item.get("architecture")), dict_of(item.get("top_provider"))
        return cls(
            id=text_of(item.get("id")) or "",
            canonical_slug=text_of(item.get("canonical_slug")),
            name=text_of(item.get("name")),
            context_length=_tokens(item.get("context_length")),
            provider_context_length=_tokens(provider.get("context_length")),
            max_completion_tokens=_tokens(provider.get("max_completion_tokens")),
            prices=_prices(item.get("pricing")),
            input_modalities=_words(architecture.get("input_modalities")),
            output_modalities=_words(architecture.get("output_modalities")),
            supported_parameters=_words(item.get("supported_parameters")),
            reasoning=ReasoningSupport.from_wire(item.get("reasoning")),
        )

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> Model:
        """Read one row of the bundled snapshot."""
        slug, canonical, name, window, provider_window, longest, prices, reads, makes, parameters, reasoning = row
        priced = {unit: Decimal(price) for unit, price in prices}
        reasons = reasoning and ReasoningSupport(*reasoning)
        return cls(slug, canonical, name, window, provider_window, longest, priced, reads, makes, parameters, reasons)

    @classmethod
    def from_profile(cls, row: tuple[Any, ...]) -> Model:
        """Read one row of the bundled profiles."""
        slug, name, window, longest, reads, makes, supports, lacks = row
        single = dict.fromkeys(supports, True) | dict.fromkeys(lacks, False)
        return cls(
            slug,
            name=name,
            context_length=window,
            max_completion_tokens=longest,
            input_modalities=reads,
            output_modalities=makes,
            single_parameters=single,
        )


def _tokens(value: Any) -> int | None:
    """A limit in tokens. The listing writes numbers, and a limit that is not above zero limits nothing."""
    count = None if isinstance(value, str) else int_of(value)
    return count if count is not None and count > 0 else None


def _words(value: Any) -> tuple[str, ...] | None:
    """The strings of a list. No list, or one with other things only, is unknown; an empty list is known."""
    if not isinstance(value, list | tuple):
        return None
    words = tuple(word for word in value if isinstance(word, str) and word)
    return words if words or not value else None


def _prices(value: Any) -> dict[str, Decimal]:
    """The prices that are known. ``discount`` is a share and ``overrides`` are conditional: neither is a price."""
    found = {str(name): money_of(price) for name, price in dict_of(value).items() if name != "discount"}
    return {name: price for name, price in found.items() if price is not None and price >= 0}


# The catalogue: models by id and canonical slug, in lower case. It is replaced, never changed, so readers need no lock.
_models: Mapping[str, Model] | None = None
_changing = threading.Lock()
_refreshing = threading.Lock()


def find(model_slug: str) -> Model | None:
    """The facts of a model, or None when it is not listed. No I/O.

    A variant (``:free``, ``:nitro`` ...) that is listed has its own facts; any other is looked up as its model, whose
    prices may not be the variant's. Routers, presets and ``~...-latest`` aliases are found only if they are listed.

    Args:
        model_slug: an id, a canonical slug, or either with ``openrouter/`` before the vendor.
    """
    known = _known()
    listed = known.get(slugs.normal(model_slug))
    return listed if listed or slugs.is_indirect(model_slug) else known.get(slugs.base(model_slug))


def bundled() -> list[Model]:
    """The models that come with the package, each once, with the most that is known of it. No I/O."""
    return list({slugs.normal(model.id): model for model in _bundled()}.values())


def all_support(model_slugs: Iterable[str], parameter: str) -> bool | None:
    """Whether each of some models supports a request option; None: that of one is unknown, or there is no model.

    Args:
        model_slugs: as for `find`.
        parameter: the option, such as ``"tools"``.
    """
    listed = [find(slug) for slug in model_slugs]
    said = {None if model is None else model.supports(parameter) for model in listed}
    return False if False in said else (True if said == {True} else None)


def same_model(asked: str, served: str) -> bool | None:
    """Whether the model that answered is the one that was asked for. No I/O.

    Variants of one model are the same model.

    Args:
        asked: the slug in the request.
        served: the slug in the answer.

    Returns:
        True if it is, dated or reworded though the slug may be; False if it is certainly another; None if that cannot
        be told, because the request left the choice to OpenRouter or the slugs differ by a stamp that may be either.
    """
    if slugs.base(asked) == slugs.base(served) != "":
        return True
    if slugs.is_indirect(asked) or slugs.is_indirect(served):
        return None
    wanted, given = find(slugs.base(asked)), find(slugs.base(served))
    if wanted and given and _canonical(wanted) == _canonical(given):
        return True
    verdicts = _verdicts({asked, _canonical(wanted) if wanted else asked}, served)
    # Where a stamp leaves it open, two entries of the catalogue are two models.
    undecided = False if wanted and given else None
    return True if True in verdicts else undecided if None in verdicts else False


def _canonical(model: Model) -> str:
    return slugs.base(model.canonical_slug or model.id)


def _verdicts(names: Iterable[str], served: str) -> set[bool | None]:
    given = slugs.Slug.parse(served)
    return {slugs.Slug.parse(name).matches(given) for name in names}


def _known() -> Mapping[str, Model]:
    return _extended(()) if _models is None else _models


def _extended(models: Iterable[Model]) -> Mapping[str, Model]:
    """Put the catalogue, extended by these models, in the place of the old one."""
    global _models
    with _changing:
        before = _bundled() if _models is None else _models.values()
        _models = _indexed([*before, *models])
        return _models


def _bundled() -> Iterable[Model]:
    return [*map(Model.from_profile, PROFILES), *map(Model.from_row, ROWS)]


def _indexed(models: Iterable[Model]) -> dict[str, Model]:
    """Models by id and canonical slug; the later of two with one id counts."""
    by_id = {slugs.normal(model.id): model for model in models}
    # A variant has its model's canonical slug and other prices, so it goes by its id alone.
    plain = (model for model in by_id.values() if ":" not in model.id)
    return {slugs.normal(model.canonical_slug or model.id): model for model in plain} | by_id


def load(listing: Any) -> int:
    """Take the models of a listing into the process-wide catalogue, over what is known of them. No I/O.

    Models that the listing does not show stay: by default OpenRouter lists those that make text only.

    Args:
        listing: the JSON body of ``GET /models``, or its list of models. Whatever is no model is passed over.

    Returns:
        How many models it had.
    """
    models = models_in(listing)
    if models:
        _extended(models)
    return len(models)


def models_in(listing: Any) -> list[Model]:
    """The models of a listing, which may be of any shape; whatever is no model is passed over. No I/O.

    Args:
        listing: as for `load`.
    """
    items = listing.get("data") if isinstance(listing, Mapping) else listing
    models = [Model.from_wire(item) for item in items] if isinstance(items, list | tuple) else []
    return [model for model in models if model.id]


def cache_path(address: str = "") -> Path:
    """Where the cached copy is: ``openrouter-adapters/models.json`` in ``$XDG_CACHE_HOME``, or else in ``~/.cache``.

    Args:
        address: whose copy, where it is not OpenRouter's; each other address has a file of its own beside it.

    Raises:
        RuntimeError: there is no home directory.
    """
    home = os.environ.get("XDG_CACHE_HOME", "")
    folder = (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "openrouter-adapters"
    stamp = f"-{hashlib.sha256(address.encode()).hexdigest()[:12]}" if address else ""
    return folder / f"models{stamp}.json"


def save(listing: Any, path: Path | str | None = None) -> None:
    """Write a listing, as it came, to the cached copy. Readers see the old copy or the new one, never half of it.

    Args:
        listing: the JSON body of ``GET /models``.
        path: the file, `cache_path` by default; its folder is made.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path) if path is not None else cache_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    # One file per writer; the name is changed when all of it is there.
    unfinished = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        unfinished.write_text(json.dumps(listing, separators=(",", ":")), encoding="utf-8")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def load_cached(path: Path | str | None = None, max_age: float = DAY) -> int:
    """Take the cached copy into the catalogue, if there is a readable one that is young enough.

    Args:
        path: the file, `cache_path` by default.
        max_age: in seconds.

    Returns:
        How many models it had; 0 when there is no such copy.
    """
    try:
        source = Path(path) if path is not None else cache_path()
        # A time stamp from the future is as wrong as an old one.
        if abs(time.time() - source.stat().st_mtime) > max_age:
            return 0
        return load(json.loads(source.read_bytes()))
    except (OSError, ValueError, RuntimeError):
        return 0


def refresh(fetch: Callable[[], Any], *, max_age: float = DAY, path: Path | str | None = None) -> int:
    """Bring the catalogue up to date, from the cached copy if that is young enough, otherwise from OpenRouter.

    A refresh that fails leaves what is known and gives one warning. One refresh runs at a time; the threads that waited
    for it use its copy.

    Args:
        fetch: gives the JSON body of ``GET /models``; the only thing here that may reach a network.
        max_age: the age at which a cached copy is too old, in seconds; 0 always fetches.
        path: the cached copy, `cache_path` by default.

    Returns:
        How many models were loaded; 0 when it failed.
    """
    with _refreshing:
        return load_cached(path, max_age) or _fetched(fetch, path)


def _fetched(fetch: Callable[[], Any], path: Path | str | None) -> int:
    count = 0
    try:
        listing = fetch()
        count = load(listing)
        if not count:
            raise ValueError("the answer lists no models")
        save(listing, path)
    except Exception as error:
        outcome = "is fresh, but was not saved" if count else "was not refreshed; what was known stays"
        warnings.warn(f"The model catalogue {outcome}: {error!r}", stacklevel=3)
    return count
