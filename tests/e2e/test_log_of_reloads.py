"""The lines of standard error are of one format while a gateway runs: reloads, their faults and their warnings too."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import ServedGateway, serving
from tests.support.worker_requests import WORKERS

pytestmark = pytest.mark.timeout(300)

EXPIRED = '\n[[service_keys]]\nname = "old"\nsecret_sha256 = "{}"\ngroups = ["x"]\nexpires = 2020-01-01\n'


def records(gateway: ServedGateway) -> list[dict[str, Any]]:
    """Returns the lines after the one that says that the gateway is ready, each of which is JSON."""
    lines = gateway.log.read_text().splitlines()
    ready = next(number for number, line in enumerate(lines) if "is ready on" in line)
    return [json.loads(line) for line in lines[ready + 1 :]]


@pytest.mark.promise("operation-O13")
@pytest.mark.parametrize("workers", [1, 2])
async def test_reloads_their_faults_and_warnings_are_json_lines(tmp_path: Path, workers: int) -> None:
    async with serving(tmp_path, server=WORKERS if workers == 2 else "", log="json") as gateway:
        text = gateway.config.read_text()
        gateway.config.write_text(text + EXPIRED.format("a" * 64))
        await gateway.reload()
        gateway.config.write_text(text.replace("[valt]", "[vallt]"))
        await gateway.reload("the old configuration stays in force")
        logged = {record["event"]: record for record in records(gateway)}
        warnings = [event for event in logged if event.startswith("warning: service_keys.0.expires")]
        faults = [event for event in logged if event.startswith("fault: vallt")]
        assert (len(warnings), len(faults)) == (1, 1), logged
        assert logged[warnings[0]]["level"] == "warning"
        assert logged[faults[0]]["level"] == "error"
        assert logged["configuration reloaded"]["level"] == "info"
        assert logged["the old configuration stays in force"]["level"] == "error"
        for record in logged.values():
            assert None not in record.values()
            assert "" not in record.values()
