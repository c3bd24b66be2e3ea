"""`KeyStatus`: what an API key may spend, and has spent (``GET /key``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from openrouter_adapters.core.answer import Unreadable
from openrouter_adapters.core.arguments import checked_key, from_variables
from openrouter_adapters.core.lookup import look_up
from openrouter_adapters.core.options import DEFAULT_BASE_URL
from openrouter_adapters.core.wire import bool_of, dict_of, dicts_of, int_of, money_of, text_of

PERIODS = ("daily", "weekly", "monthly")


@dataclass(frozen=True, slots=True)
class Use:
    """USD spent; None where that was not told.

    Attributes:
        ever: since the key was made.
        daily: on this day (UTC).
        weekly: in this week.
        monthly: in this month.
    """

    ever: Decimal | None = None
    daily: Decimal | None = None
    weekly: Decimal | None = None
    monthly: Decimal | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any], name: str) -> Use:
        """Read ``usage`` or ``byok_usage`` with its periods."""
        return cls(money_of(data.get(name)), *(money_of(data.get(f"{name}_{period}")) for period in PERIODS))


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be spent until it is reset. Money in USD; None is unknown, or no limit.

    Attributes:
        scope: what it holds for; None for the key itself.
        limit: what may be spent.
        spent: what was.
        remaining: what is left.
        reset: how often it begins anew, such as ``monthly``.
        resets_at: when it does so next, as the server writes it.
        include_byok: whether what own provider keys (BYOK) cost counts.
    """

    scope: str | None = None
    limit: Decimal | None = None
    spent: Decimal | None = None
    remaining: Decimal | None = None
    reset: str | None = None
    resets_at: str | None = None
    include_byok: bool | None = None

    @classmethod
    def of_budget(cls, item: Mapping[str, Any]) -> Limit:
        """Read one of ``budgets``."""
        return cls(
            scope=text_of(item.get("scope")),
            limit=money_of(item.get("limit_usd")),
            spent=money_of(item.get("spend_usd")),
            remaining=money_of(item.get("remaining_usd")),
            reset=text_of(item.get("reset_interval")),
            resets_at=text_of(item.get("resets_at")),
            include_byok=bool_of(item.get("include_byok")),
        )


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The state of a key; None is what the server did not tell.

    Attributes:
        label: its name, as the server shows it.
        limit: its own limit; ``limit.limit`` is None when it has none.
        usage: what was charged to OpenRouter credits.
        byok_usage: what own provider keys (BYOK) cost beside them.
        expires_at: when it ceases to work, as the server writes it; None when never.
        is_free_tier: whether no credits were ever bought.
        is_management_key: whether it manages other keys.
        free_requests: a day's requests to free models: ``limit``, ``used`` and ``remaining``, where told.
        budgets: the budgets that hold for it beside its own limit.
        data: all that the server said, without the key.
    """

    label: str | None = None
    limit: Limit = Limit()
    usage: Use = Use()
    byok_usage: Use = Use()
    expires_at: str | None = None
    is_free_tier: bool | None = None
    is_management_key: bool | None = None
    free_requests: Mapping[str, int] = field(default_factory=dict)
    budgets: tuple[Limit, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> KeyStatus:
        """Read the answer's ``data``; what is of another type is unknown, nothing raises."""
        free = dict_of(data.get("free_model_daily_requests"))
        counts = {name: int_of(free.get(name)) for name in ("limit", "used", "remaining")}
        return cls(
            label=text_of(data.get("label")),
            limit=_own_limit(data),
            usage=Use.of(data, "usage"),
            byok_usage=Use.of(data, "byok_usage"),
            expires_at=text_of(data.get("expires_at")),
            is_free_tier=bool_of(data.get("is_free_tier")),
            is_management_key=bool_of(data.get("is_management_key")),
            free_requests={name: count for name, count in counts.items() if count is not None},
            budgets=tuple(map(Limit.of_budget, _budgets(data))),
            data=data,
        )


def _own_limit(data: Mapping[str, Any]) -> Limit:
    return Limit(
        limit=money_of(data.get("limit")),
        remaining=money_of(data.get("limit_remaining")),
        reset=text_of(data.get("limit_reset")),
        include_byok=bool_of(data.get("include_byok_in_limit")),
    )


def _budgets(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All budgets that are told; the effective one is one of them, or all there is."""
    return dicts_of(data.get("budgets")) or dicts_of([data.get("effective_budget")])


def fetch_key(
    *, api_key: SecretStr | str | None = None, base_url: str | None = None, timeout: float = 30.0
) -> KeyStatus:
    """What a key may spend, and has spent.

    https://openrouter.ai/docs/api-reference/api-keys/get-current-key

    Args:
        api_key: the key; the environment's (OPENROUTER_API_KEY).
        base_url: where to ask; the environment's (OPENROUTER_BASE_URL), or else OpenRouter itself.
        timeout: seconds to connect, and between two bytes.

    Raises:
        ValueError: no key, one that cannot be sent, or an address that is none.
        OpenRouterError: the request failed; an `AuthenticationError` when nobody knows the key.
    """
    key = checked_key(from_variables("api_key") if api_key is None else api_key)
    address = base_url or from_variables("base_url") or DEFAULT_BASE_URL
    return look_up("/key", _read, base_url=address, api_key=key, timeout=timeout)


def _read(body: dict[str, Any]) -> KeyStatus:
    data = body.get("data")
    if not isinstance(data, dict):
        raise Unreadable("the answer says nothing of a key: it has no object `data`")
    return KeyStatus.from_wire(data)
