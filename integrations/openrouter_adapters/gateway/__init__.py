"""A local OpenRouter, for demos and for tests.

``LocalGateway`` serves real HTTP on 127.0.0.1 in OpenRouter's dialect: scripted or echoing replies, streaming, tool
calls, reasoning, model fallback and provider routing, costs, and every known kind of trouble on demand (`FAULTS`).
It needs the extra ``gateway``. In tests, ask for the pytest fixture ``openrouter_gateway``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .faults import FAULTS
    from .gateway import LocalGateway
    from .local_model import LocalModel
    from .market import MODELS, PROVIDERS, Endpoint, Model, Provider
    from .reply import Live, Reply
    from .state import Exchange

__all__ = [
    "FAULTS",
    "MODELS",
    "PROVIDERS",
    "Endpoint",
    "Exchange",
    "Live",
    "LocalGateway",
    "LocalModel",
    "Model",
    "Provider",
    "Reply",
]

_MODULES = {
    "FAULTS": "faults",
    "LocalGateway": "gateway",
    "LocalModel": "local_model",
    "Live": "reply",
    "Reply": "reply",
    "Exchange": "state",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that the pytest plugin costs nothing where nobody asks for a gateway."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'market')}"), name)
