"""What of the settings one of several workers has: its share of the limits, and an audit file of its own."""

from pathlib import Path

from gateway.settings.model import Settings

PUBLIC_SOCKET = "public"
"""The name by which workers are passed the sockets of the public listener."""


def share_of_worker(settings: Settings, number: int, workers: int, state: Path) -> Settings:
    """Returns the settings of worker *number*, counted from 1, of so many *workers*.

    *state* is the directory of the state that they share if none is configured. Limits of the whole gateway are divided
    among the workers and rounded up. The sockets of the public listener are passed on.
    """
    limits = settings.limits
    shares = {key: -(-getattr(limits, key) // workers) for key in ("streams", "connections", "waiting_for_valt")}
    return settings.model_copy(
        update={
            "server": settings.server.model_copy(update={"listen": f"systemd:{PUBLIC_SOCKET}"}),
            "limits": limits.model_copy(update=shares),
            "state": settings.state.model_copy(update={"dir": settings.state.dir or state}),
            "audit": settings.audit.model_copy(update={"file": audit_file_of_worker(settings.audit.file, number)}),
        }
    )


def audit_file_of_worker(file: str, number: int) -> str:
    """Returns the audit file of worker *number*: ``audit.2.jsonl`` for ``audit.jsonl``; standard output for ``-``."""
    if file == "-":
        return file
    path = Path(file)
    return str(path.with_name(f"{path.stem}.{number}{path.suffix}"))


def audit_files(settings: Settings) -> list[Path]:
    """Returns the existing files that the gateway writes its audit to; none if that is standard output."""
    file = Path(settings.audit.file)
    if settings.audit.file == "-":
        return []
    if settings.server.workers == 1:
        return [file] if file.exists() else []
    numbered = [path for path in file.parent.glob(f"{file.stem}.*{file.suffix}") if _number(path, file) is not None]
    return sorted([*numbered, *([file] if file.exists() else [])])


def _number(path: Path, file: Path) -> int | None:
    text = path.name.removeprefix(f"{file.stem}.").removesuffix(file.suffix)
    return int(text) if text.isascii() and text.isdigit() else None
