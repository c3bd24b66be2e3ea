"""What a gateway says that it charged, exactly."""

from decimal import Decimal

from openrouter_adapters.gateway import LocalGateway


def charged(gateway: LocalGateway) -> Decimal:
    """USD, over all its generations."""
    return sum((Decimal(str(one["total_cost"])) for one in gateway._state.generations.values()), Decimal(0))
