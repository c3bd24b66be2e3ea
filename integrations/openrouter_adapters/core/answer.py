"""`Answer`: what an endpoint beside chat said, and what it took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from openrouter_adapters.core.usage import Usage, summed
from openrouter_adapters.core.wire import dict_of, id_of, known, text_of

if TYPE_CHECKING:
    from openrouter_adapters.core.request import Request

C = TypeVar("C")


class Unreadable(ValueError):
    """What a reader says of a body that is no answer to what was asked."""


def place_of(value: Any) -> int | None:
    """Which of the things that were sent an ``index`` means; JSON does not tell 1 from 1.0, and some write that."""
    exact = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if exact else None


@dataclass(frozen=True, slots=True)
class Answer(Generic[C]):
    """The answer to one request, or to several that belong together.

    Attributes:
        content: what was asked for.
        usage: token counts and cost; None when not reported.
        model: the model that answered; None when not reported, or when several did.
        provider: the upstream that answered (a display name); None as for ``model``.
        id: the generation id; None when there are several.
        openrouter_metadata: routing metadata, when asked for with ``router_metadata``.
        failed_tries: what failed before the answer came, one dict per try; see `core.tries.failure`.
    """

    content: C = field(repr=False)
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    id: str | None = None
    openrouter_metadata: dict[str, Any] | None = None
    failed_tries: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_body(cls, body: Mapping[str, Any], content: C, id: str | None = None) -> Self:
        """Read what stands beside the content.

        Args:
            body: the JSON body.
            content: what was read out of it.
            id: the generation id that a header gave.
        """
        return cls(
            content=content,
            usage=Usage.from_wire(body.get("usage")),
            model=text_of(body.get("model")),
            provider=text_of(body.get("provider")),
            id=id_of(body.get("id")) or id,
            openrouter_metadata=dict_of(body.get("openrouter_metadata")) or None,
        )

    @classmethod
    def of(cls, answers: Sequence[Answer[Any]], content: C) -> Self:
        """The answer that several requests gave together."""
        return cls(
            content=content,
            usage=summed(answer.usage for answer in answers),
            model=agreed(answer.model for answer in answers),
            provider=agreed(answer.provider for answer in answers),
            id=agreed(answer.id for answer in answers),
            openrouter_metadata=answers[0].openrouter_metadata if len(answers) == 1 else None,
            failed_tries=[failed for answer in answers for failed in answer.failed_tries],
        )

    @property
    def cost(self) -> Decimal | None:
        """USD charged; None when not reported. With an own provider key see ``usage.cost.total``."""
        return self.usage.cost.charged if self.usage else None

    def metadata(self) -> dict[str, Any]:
        """The facts under the names that chat answers show them by; absent when unknown.

        Returns:
            ``provider``, ``id``, ``cost`` (float, USD), ``cost_details``, ``is_byok``, ``total_cost`` (float, USD),
            ``openrouter_metadata``, ``failed_tries``. The served model is ``self.model``: each framework has a word of
            its own for it.
        """
        return known(
            provider=self.provider,
            id=self.id,
            **(self.usage.metadata() if self.usage else {}),
            openrouter_metadata=self.openrouter_metadata,
            failed_tries=self.failed_tries or None,
        )


class Fetches(Protocol):
    """Who sends the requests of an endpoint beside chat: a `Client`, or whoever listens to one."""

    def fetch(self, request: Request, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """As `Client.fetch`."""

    async def afetch(self, request: Request, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """As `Client.afetch`."""


def agreed(values: Iterable[str | None]) -> str | None:
    """The value that all have; None when they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
