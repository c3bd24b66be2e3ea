"""What every model object is: options, and a client that is closed, copied and pickled with them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, PrivateAttr, SecretStr
from typing_extensions import override

from openrouter_adapters.core.arguments import from_variables, key_text, without_user
from openrouter_adapters.core.options import EndpointOptions, KeyOption

if TYPE_CHECKING:
    from openrouter_adapters.core.client import Client
    from openrouter_adapters.core.errors import Specialize


def new_client(specialize: Specialize | None = None) -> Client:
    """A client; what sends and reads is loaded with the first model object."""
    from openrouter_adapters.core.client import Client

    return Client(specialize)


class OpenRouterModel(EndpointOptions):
    """A model object: cheap to make, used from any thread and event loop, closed when it is no longer needed.

    ``with model:`` and ``async with model:`` close it at the end. A closed model opens anew with its next use.
    """

    # What belongs to this process: copies share it, a pickled model leaves it behind.
    of_this_process: ClassVar[tuple[str, ...]] = ("http_client", "http_async_client", "rate_limiter")

    _client: Client = PrivateAttr(default_factory=new_client)

    @override
    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Only what is set, and no password: what is shown ends up in logs."""
        fields = type(self).model_fields
        return [
            (n, without_user(v) if n == "base_url" else v)
            for n, v in super().__repr_args__()
            if v is not None and not (n in fields and v == fields[n].default)
        ]

    def close(self) -> None:
        """Let go of the connections; the next use opens new ones. A client of the caller's is never closed."""
        self._client.close()

    async def aclose(self) -> None:
        """As `close`, for the running event loop's connections too."""
        await self._client.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @override
    def __copy__(self) -> Self:
        """A copy has a client of its own: closing one leaves the other's streams alone."""
        copied = super().__copy__()
        copied._client = copy.copy(self._client)
        return copied

    def sharing(self, **changes: Any) -> Self:
        """A copy with other values in some fields that uses the same connections: to close one is to close both."""
        copied = self.model_copy(update=changes)
        copied._client = self._client
        return copied

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(value): value for value in self._of_this_process().values()}
        return super().__deepcopy__({**(memo or {}), **shared})

    def _of_this_process(self) -> dict[str, Any]:
        found = {name: getattr(self, name, None) for name in self.of_this_process}
        return {name: value for name, value in found.items() if value is not None and not isinstance(value, str)}

    @override
    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled. A key that was given travels along; one from the environment is of that machine."""
        state = BaseModel.__getstate__(self)
        stays = dict.fromkeys(self._of_this_process())
        if self.has_key_of_environment():
            stays["api_key"] = None
        private = {**state["__pydantic_private__"], "_first_key": None}
        return {**state, "__dict__": {**state["__dict__"], **stays}, "__pydantic_private__": private}

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take the key of this machine's environment, where none came along; without one, the first request fails."""
        BaseModel.__setstate__(self, state)
        self._key_given = self.api_key is not None
        if self.api_key is None and (key := key_text(from_variables("api_key"))):
            self.api_key: KeyOption = SecretStr(key)
        self._first_key = self.api_key
