"""Which sessions count as in use, here and for the other workers and replicas."""

import pytest

from gateway.delivery.streams import Streams
from gateway.model import Delivery, Grant, Identity, IdentityKind
from gateway.request_record import RequestRecord
from tests.support.clock import ManualClock
from tests.support.recorder import Recorder


def test_a_use_here_is_reported_for_ten_seconds_and_one_elsewhere_is_not() -> None:
    clock = ManualClock()
    streams = Streams(clock, Recorder(), most=1, per_person=0, per_address=0)
    streams.mark_used("elsewhere")
    streams.use("here")
    assert streams.used_at("elsewhere") == streams.used_at("here") == streams.last_used_at == clock.now()
    assert streams.sessions == ["here"], "two replicas would report each other's use for ever"
    clock.pass_(9.9)
    assert streams.sessions == ["here"]
    clock.pass_(0.1)
    assert streams.sessions == []
    assert streams.used_at("here") == clock.now() - 10.0
    assert streams.used_at("another") is None


@pytest.mark.parametrize(("kind", "is_use"), [(IdentityKind.SESSION, True), (IdentityKind.ACCESS_TOKEN, False)])
def test_a_link_that_plays_is_no_use_of_the_session_that_it_is_of(kind: IdentityKind, is_use: bool) -> None:
    """It may be played by anybody, after the session was idle for too long."""
    clock = ManualClock()
    streams = Streams(clock, Recorder(), most=1, per_person=0, per_address=0)
    identity = Identity("anna", "https://portal", "portal", kind, session="made in it")
    grant = Grant(identity, "7", "9", "reviewer", Delivery.PROXY, "rule")
    record = RequestRecord("id", "GET", "/", None, clock.monotonic, clock.monotonic())
    with streams.count(grant, record, lambda _reason: None):
        assert streams.sessions == (["made in it"] if is_use else [])
    assert streams.used_at("made in it") == (clock.now() if is_use else None)
