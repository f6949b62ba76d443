"""``init`` writes the files of a situation, and never replaces one without saying so."""

from pathlib import Path

import pytest

from gateway.cli.situations import SITUATIONS, files_of
from tests.support.measures import ROOT
from tests.unit.cli.conftest import Run

NOT_WRITTEN = {"deploy/Containerfile"}
"""Builds from a clone or a source distribution, and nowhere else."""


def test_the_situations_are_those_of_the_documents(run: Run) -> None:
    listed = run("init")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [
        "gateway",
        "portal-tickets",
        "signed-tokens",
        "browser-sign-in",
        "behind-shibboleth",
        "behind-oauth2-proxy",
        "kerberos",
        "forward-auth",
        "kubernetes",
        "compose",
    ]


def test_every_example_belongs_to_a_situation() -> None:
    written = {
        file.relative_to(ROOT).as_posix() for situation in SITUATIONS.values() for _, file in files_of(situation)
    }
    examples = {
        path.relative_to(ROOT).as_posix()
        for folder in ("config", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert examples - written == NOT_WRITTEN


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_is_written_into_a_directory_that_is_created(run: Run, tmp_path: Path, name: str) -> None:
    done = run("init", name, "--to", tmp_path / "a/b")
    assert done.exit_code == 0, done.output
    written = {str(path) for path in (tmp_path / "a/b").rglob("*") if path.is_file()}
    assert set(done.stdout.splitlines()) == written
    assert str(tmp_path / "a/b/gateway.toml") in written
    for target, file in files_of(SITUATIONS[name]):
        assert (tmp_path / "a/b" / target).read_bytes() == file.read_bytes()


def test_nothing_is_written_if_one_file_exists_and_differs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text("mine")
    done = run("init", "gateway", "--to", tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"exists and differs: {tmp_path / 'prometheus.yml'}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["prometheus.yml"]
    assert (tmp_path / "prometheus.yml").read_text() == "mine"


def test_files_are_replaced_on_request_and_each_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("mine")
    done = run("init", "kerberos", "--overwrite", "--to", tmp_path)
    assert done.exit_code == 0
    assert f"replaced: {tmp_path / 'gateway.toml'}" in done.stderr
    assert (tmp_path / "gateway.toml").read_bytes() == (ROOT / "config/kerberos.toml").read_bytes()


def test_writing_the_same_files_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    assert run("init", "kerberos", "--to", tmp_path).exit_code == 0
    again = run("init", "kerberos", "--to", tmp_path)
    assert again.exit_code == 0
    assert f"unchanged: {tmp_path / 'gateway.toml'}" in again.stderr


def test_a_mistyped_situation_names_the_nearest_one(run: Run) -> None:
    done = run("init", "kerberoz")
    assert done.exit_code == 2
    assert "Did you mean kerberos?" in done.stderr


def test_a_directory_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("init", "kerberos", "--to", tmp_path / "file/below")
    assert done.exit_code == 1
    assert "Not a directory" in done.stderr


def test_a_new_file_is_not_written_through_a_symbolic_link(run: Run, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "gateway.toml").symlink_to(elsewhere)
    assert run("init", "gateway", "--to", str(folder)).exit_code == 1
    assert not elsewhere.exists()
