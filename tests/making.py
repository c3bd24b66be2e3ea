"""Model objects for tests: made as often as wanted, closed at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from openrouter_adapters.core.model import OpenRouterModel
from openrouter_adapters.gateway import LocalGateway

M = TypeVar("M", bound=OpenRouterModel)


@contextmanager
def making(cls: type[M], gateway: LocalGateway, **given: Any) -> Iterator[Callable[..., M]]:
    """Makes objects of a class that talk to the gateway, with these arguments or others in their place; closes them."""
    made: list[M] = []
    given = {"base_url": gateway.base_url, "max_retries": 0, **given}

    def make(**options: Any) -> M:
        made.append(cls(**{**given, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()
