"""How much code one request runs through: what an engineer reads to follow it."""

from tests.support.gateway_fixture import GatewayStack
from tests.support.trace_calls import trace_range, trace_redirect


async def test_a_warm_redirect_runs_few_functions(stack: GatewayStack) -> None:
    trace = await trace_redirect(stack)
    functions, files, file_changes = trace.counts
    assert functions <= 55, trace.counts
    assert files <= 25, trace.files
    assert file_changes <= 53, trace.counts


async def test_a_warm_range_of_64_kib_runs_few_functions(stack: GatewayStack) -> None:
    trace = await trace_range(stack)
    functions, files, file_changes = trace.counts
    assert functions <= 114, trace.counts
    assert files <= 37, trace.files
    assert file_changes <= 101, trace.counts
