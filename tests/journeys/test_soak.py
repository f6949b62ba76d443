"""The soak, shortened: nothing is left over after thousands of faults."""

from pathlib import Path

from tests.soak.run import soak


async def test_under_faults_no_body_is_wrong_and_no_task_connection_or_descriptor_is_left(tmp_path: Path) -> None:
    figures = await soak(tmp_path, seconds=8.0, mebibytes=2)
    assert figures.wrong() == [], "\n".join(figures.lines())
    assert figures.bodies["whole"] > 10
    assert sum(figures.faults.values()) > 10
