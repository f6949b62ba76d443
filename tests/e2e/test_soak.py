"""A short soak: no resource is leaked after thousands of faults."""

from pathlib import Path

import pytest

from tests.soak.run import soak


@pytest.mark.promise("streams-34")
async def test_faults_cause_no_wrong_body_and_leak_no_resource(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = await soak(tmp_path, seconds=30.0, mebibytes=8)
    with capsys.disabled():
        print("", *figures.lines(), sep="\n")
    assert figures.wrong() == [], "\n".join(figures.lines())
    assert figures.bodies["whole"] > 10
    assert sum(figures.faults.values()) > 10
