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


def hidden(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with their secrets hidden, those in ``additional_kwargs`` too."""
    return _with_secrets(options, Hidden)


def revealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they were before `hidden`."""
    return _with_secrets(options, _shown)


def _shown(value: Any) -> Any:
    return value.value if isinstance(value, Hidden) else value


def _with_secrets(options: Mapping[str, Any], changed: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of options, what is secret in it changed; None says that there is nothing, which is no secret."""
    made = {name: changed(value) if name in SECRET and value is not None else value for name, value in options.items()}
    more = made.get("additional_kwargs")
    if isinstance(more, Mapping):
        made["additional_kwargs"] = _with_secrets(more, changed)
    return made
