"""The header traceparent (W3C Trace Context), as it is read and sent."""

import asyncio

import pytest

from gateway.request_trace import RequestTrace, TraceParent, parse_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"

pytestmark = pytest.mark.promise("operation-tracing")


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (GOOD, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_valid_headers_are_read(text: str, is_sampled: bool) -> None:
    assert parse_traceparent(text) == TraceParent(int(TRACE, 16), int(SPAN, 16), is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        GOOD[:-1],
        f"{GOOD}-",
        f"{GOOD}-more",
        f"{GOOD} ",
        f"{GOOD}\n",
        GOOD.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00_{TRACE}_{SPAN}_01",
        f"cc-{TRACE}-{SPAN}-01.future",
        GOOD.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
    ],
)
async def test_other_headers_are_ignored_and_the_request_begins_a_trace(text: str | None) -> None:
    assert parse_traceparent(text) is None
    trace = RequestTrace.begin(text, sampled=False)
    assert (trace.parent, trace.is_sampled) == (None, False)
    assert parse_traceparent(trace.call_header()) is not None


def test_a_call_has_one_header_and_the_next_another() -> None:
    async def calls() -> list[str]:
        trace = RequestTrace.begin(GOOD, sampled=False)
        headers = [trace.call_header(), trace.call_header()]
        assert int(headers[0].split("-")[2], 16) == trace.end_call()
        return [*headers, trace.call_header()]

    first, retry, following = asyncio.run(calls())
    assert first == retry != following
    assert {header.split("-")[1] for header in (first, following)} == {TRACE}
    assert {header.split("-")[3] for header in (first, following)} == {"01"}


async def test_calls_of_two_tasks_of_a_request_have_their_own_spans() -> None:
    trace = RequestTrace.begin(None, sampled=True)

    async def call() -> tuple[str, int]:
        header = trace.call_header()
        await asyncio.sleep(0)
        return header, trace.end_call()

    for header, span in await asyncio.gather(call(), call(), call()):
        assert int(header.split("-")[2], 16) == span
