"""``[tracing]``: what it needs, its defaults, and what needs a restart."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from gateway.settings import state_checks
from gateway.settings.restart_keys import keys_needing_restart, restart_values
from tests.unit.settings.configurations import GOOD, load_text

ON = GOOD + '[tracing]\notlp_endpoint = "http://127.0.0.1:4318"\n'

pytestmark = pytest.mark.promise("operation-tracing")


def test_without_the_packages_an_endpoint_is_a_fault_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_text(tmp_path, ON).faults == ()

    def without_opentelemetry(name: str) -> ModuleSpec | None:
        return None if name == "opentelemetry" else ModuleSpec(name, None)

    monkeypatch.setattr(state_checks, "find_spec", without_opentelemetry)
    assert [str(fault) for fault in load_text(tmp_path, ON).faults] == [
        'tracing.otlp_endpoint (line 23): needs the package opentelemetry. Pip install "valt-gateway[otel]".'
    ]
    assert load_text(tmp_path, GOOD).faults == ()


def test_without_the_table_there_are_no_traces_and_a_change_needs_a_restart(tmp_path: Path) -> None:
    off, on = load_text(tmp_path, GOOD).settings, load_text(tmp_path, ON + "sample_ratio = 1\n").settings
    assert off is not None
    assert on is not None
    assert (off.tracing.otlp_endpoint, off.tracing.sample_ratio) == ("", 0.1)
    assert on.tracing.sample_ratio == 1.0
    assert keys_needing_restart(restart_values(off), on) == ["tracing.otlp_endpoint", "tracing.sample_ratio"]
