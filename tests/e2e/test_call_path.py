"""How much code one request runs through: what an engineer reads to follow it."""

from tests.support.gateway_fixture import GatewayStack
from tests.support.trace_calls import trace_range


async def test_a_warm_range_of_64_kib_runs_at_most_125_functions(stack: GatewayStack) -> None:
    trace = await trace_range(stack)
    assert trace.functions <= 125
