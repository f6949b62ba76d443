"""Which sessions count as in use, here and for the other workers and replicas."""

from gateway.delivery.streams import Streams
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
