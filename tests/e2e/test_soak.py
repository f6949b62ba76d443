"""The soak, shortened: nothing is left over after thousands of faults."""

from pathlib import Path

import pytest

from tests.soak.run import soak


@pytest.mark.promise("streams-34")
async def test_under_faults_no_body_is_wrong_and_no_task_connection_or_descriptor_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = await soak(tmp_path, seconds=30.0, mebibytes=8)
    with capsys.disabled():
        print("", *figures.lines(), sep="\n")
    assert figures.wrong() == [], "\n".join(figures.lines())
    assert figures.bodies["whole"] > 10
    assert sum(figures.faults.values()) > 10
