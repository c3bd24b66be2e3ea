"""What is bound to a model, with no secrets in sight: LangChain prints and dumps bindings with all that is bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBinding
from pydantic import SecretStr
from typing_extensions import override

from openrouter_adapters.core.options import CALL_ALIASES
from openrouter_adapters.core.request import headers_of, is_secret
from openrouter_adapters.langchain.model import LangChainModel

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import _ChatModelBinding as Binding
else:
    Binding = RunnableBinding[LanguageModelInput, AIMessage]  # the other has nothing but types beside it

_NAMES = {**CALL_ALIASES, **LangChainModel.option_aliases}
_HEADERS = ("default_headers", "extra_headers")


class ChatBinding(Binding):
    """A chat model with options for every call; more may be bound to it."""

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        """The id in dumps, which is core's: it is loaded as core's."""
        return [*cls.get_lc_namespace(), "RunnableBinding"]

    @override
    def bind(self, **kwargs: Any) -> Any:
        """This with more options; their secrets are hidden."""
        return super().bind(**hidden(kwargs))


def hidden(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options to be bound: keys, the values of headers, and addresses with a password become `SecretStr`.

    Raises:
        ValueError: headers that are no object.
    """
    return {name: _hidden(_NAMES.get(name, name), value) for name, value in options.items()}


def _hidden(name: str, value: Any) -> Any:
    if name in _HEADERS and value is not None:
        return {header: _secret(said) for header, said in headers_of(name, value).items()}
    return _secret(value) if is_secret(name) or (name == "base_url" and "@" in str(value)) else value


def _secret(value: Any) -> Any:
    return SecretStr(value) if isinstance(value, str) else value  # what is no text will be refused, or is no secret


def revealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options under their own names as they were before `hidden`; a key stays as it is."""
    return {name: _revealed(name, value) for name, value in options.items()}


def _revealed(name: str, value: Any) -> Any:
    if name in _HEADERS and isinstance(value, Mapping):
        return {header: _text(said) for header, said in value.items()}
    return _text(value) if name == "base_url" else value


def _text(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
