"""What a call may bring along that is nobody's business but OpenRouter's: keys, headers, clients.

LlamaIndex shows the arguments of a call, and what its methods give each other, to every span, event and callback
handler. So secrets pass by there as `Hidden`, in their own places, and become themselves where the request is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from typing_extensions import override

from openrouter_adapters.core import arguments

SECRET = (*arguments.SECRET, "async_http_client")
"""Options that are secret, under their names in LlamaIndex's packages too."""

_ADDRESSES = ("base_url", "api_base")


class Hidden(str):
    """A value that shows nothing of itself, however it is printed, dumped or stored; copies still hold it.

    It is a text, since listeners write down what they are told, as JSON too.
    """

    __slots__ = ("value",)

    value: Any

    def __new__(cls, value: Any) -> Self:
        """Hide a value; hiding it again changes nothing."""
        made = super().__new__(cls, "**********")
        made.value = value.value if isinstance(value, Hidden) else value
        return made

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self

    @override
    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def is_secret(name: str, value: Any) -> bool:
    """Whether an option is secret: always, or because it is an address that may have a password in it."""
    return name in SECRET or (name in _ADDRESSES and "@" in str(value))


def hidden(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with their secrets hidden, those in ``additional_kwargs`` too; None is no secret."""
    return _changed(
        options, lambda name, value: Hidden(value) if value is not None and is_secret(name, value) else value
    )


def revealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they were before `hidden`."""
    return _changed(options, lambda _, value: value.value if isinstance(value, Hidden) else value)


def _changed(options: Mapping[str, Any], change: Callable[[str, Any], Any]) -> dict[str, Any]:
    made = {name: change(name, value) for name, value in options.items()}
    more = made.get("additional_kwargs")
    if isinstance(more, Mapping):
        made["additional_kwargs"] = _changed(more, change)
    return made
