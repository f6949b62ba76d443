"""Verifies files of the audit: names each line that was changed, removed, added, moved or torn, and missing files.

How it works. Each file is read once, line by line. The lines of one chain in one file are a segment: within it each
line must continue the one before it. What a segment continues, and which line a new run names as its previous one, may
be in another file; that is compared after all files have been read. Memory grows with segments, not with lines.
"""

import gzip
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.observe.audit_chain import ZEROS, Head, SealedLine, digest_of, previous_of, unseal

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What a compressed file that is cut off, changed or none raises."""
_MAX_LINE = 1024 * 1024
_LINES_PER_REPORT = 2000
_RECENT = 256
"""Lines of a chain that a new run may name as its previous line: others write while it starts."""
_ROTATED = re.compile(r"(?:[.-]\d+(?:[-.:T\d]*))?(?:\.(?:gz|bak|old))?$")


class Fault(NamedTuple):
    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Segment:
    """Lines *first* to *last* of a chain in one file. *content* is what the hash of its first line covers, and
    *previous* the line that the first one names, if it is a ``chain`` line."""

    file: str
    line: int
    time: str
    first: Head
    content: bytes
    previous: Head | None
    last: Head
    last_line: int
    recent: deque[Head] = field(default_factory=lambda: deque(maxlen=_RECENT))


class _Reference(NamedTuple):
    """A run that begins after the line *previous*, which was not found before it in the same file."""

    file: str
    line: int
    time: str
    previous: Head


@dataclass(slots=True)
class Verification:
    """*faults* in the order in which they were found. *heads*: the last line of each chain, with its file and line.
    *notes*: what is not a fault and worth knowing."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    heads: dict[str, tuple[Head, str, int]] = field(default_factory=dict)
    lines: int = 0


Progress = Callable[[int], None]
"""Is called with the number of bytes of a file that were read since the last call; compressed ones, if it is."""


def no_progress(_bytes: int) -> None:
    """Shows nothing."""


def verify(files: list[Path], key: bytes | None, progress: Progress = no_progress) -> Verification:
    """Verifies *files*, in any order, compressed ones (.gz) too.

    Raises OSError if a file cannot be read.
    """
    verifier = _Verifier(key)
    for path in files:
        verifier.read(path, progress)
    verifier.link()
    return verifier.result


def read_lines(path: Path, progress: Progress = no_progress) -> Iterator[bytes]:
    """Yields the lines of a file, compressed or not, with their line feeds; a longer one than 1 MiB in parts. Raises
    OSError or one of DAMAGED if it cannot be read to its end."""
    with path.open("rb") as raw, gzip.open(raw, "rb") if path.name.endswith(".gz") else nullcontext(raw) as file:
        reported = count = 0
        while line := file.readline(_MAX_LINE):
            count += 1
            if not count % _LINES_PER_REPORT:
                position = raw.tell()
                progress(position - reported)
                reported = position
            yield line
        progress(raw.tell() - reported)


class _Verifier:
    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._segments: list[Segment] = []
        self._references: list[_Reference] = []
        self.result = Verification()

    def read(self, path: Path, progress: Progress) -> None:
        name, number, here = str(path), 0, dict[str, Segment]()
        try:
            for number, line in enumerate(read_lines(path, progress), 1):
                if not line.endswith(b"\n"):
                    self._fault(name, number, "is torn: it has no end")
                elif (sealed := unseal(line[:-1])) is None:
                    self._fault(name, number, "is torn or not a line of a chained audit")
                else:
                    self._check(name, number, sealed, here)
        except DAMAGED:
            self._fault(name, number + 1, "the compressed file is damaged from here on")
        self.result.lines += number
        self._segments += here.values()

    def link(self) -> None:
        """Compares what segments continue, and what new runs name as their previous line, with all files."""
        chains: dict[str, list[Segment]] = {}
        for segment in self._segments:
            chains.setdefault(segment.first.chain, []).append(segment)
        for segments in chains.values():
            segments.sort(key=lambda segment: segment.first.seq)
            self._link_segments(segments)
            last = max(segments, key=lambda segment: segment.last.seq)
            self.result.heads[last.last.chain] = (last.last, last.file, last.last_line)
        for reference in self._references:
            self._link_run(reference, chains.get(reference.previous.chain, []))

    def _check(self, file: str, number: int, sealed: SealedLine, here: dict[str, Segment]) -> None:
        head, segment = sealed.head, here.get(sealed.head.chain)
        opens = sealed.fields.get("event") == "chain"
        if segment is None:
            if head.seq == 1:
                if not opens:
                    self._fault(file, number, "begins a chain and is not a chain line")
                if digest_of(ZEROS, sealed.content, self._key) != head.digest:
                    self._fault(file, number, _changed(head))
                self._refer(file, number, sealed, here)
            time = str(sealed.fields.get("time"))
            segment = here[head.chain] = Segment(
                file, number, time, head, sealed.content, previous_of(sealed.fields) if opens else None, head, number
            )
        else:
            before = segment.last
            if head.seq != before.seq + 1:
                self._fault(file, number, _gap(before, head))
            elif digest_of(before.digest, sealed.content, self._key) != head.digest:
                self._fault(file, number, _changed(head))
            segment.last, segment.last_line = head, number
        segment.recent.append(head)

    def _refer(self, file: str, number: int, sealed: SealedLine, here: dict[str, Segment]) -> None:
        """Look for the line that a new run names as its previous one."""
        previous = previous_of(sealed.fields)
        if previous is None:
            self.result.notes.append(Fault(file, number, f"chain {sealed.head.chain} begins here, after no other line"))
        elif previous.chain not in here or previous not in here[previous.chain].recent:
            self._references.append(_Reference(file, number, str(sealed.fields.get("time")), previous))

    def _link_segments(self, segments: list[Segment]) -> None:
        before: Segment | None = None
        for segment in segments:
            if before is None:
                if segment.first.seq > 1:
                    self._check_beginning(segment)
            elif segment.first.seq != before.last.seq + 1:
                where = f", after {before.file}:{before.last_line}"
                self._fault(segment.file, segment.line, _gap(before.last, segment.first) + where)
            elif digest_of(before.last.digest, segment.content, self._key) != segment.first.digest:
                self._fault(segment.file, segment.line, _changed(segment.first))
            before = segment

    def _check_beginning(self, segment: Segment) -> None:
        """A chain goes on in *segment*, and its lines before that are in none of the files."""
        previous, first = segment.previous, segment.first
        if previous is None:
            reason = f"lines 1 to {first.seq - 1} of chain {first.chain} are missing before it"
            self._fault(segment.file, segment.line, reason)
        elif digest_of(previous.digest, segment.content, self._key) != first.digest:
            self._fault(segment.file, segment.line, _changed(first))
        else:
            self._unlinked(segment.file, segment.line, segment.time, first)

    def _link_run(self, reference: _Reference, segments: list[Segment]) -> None:
        file, line, time, previous = reference
        others = [segment for segment in segments if segment.file != file]
        if any(previous in segment.recent for segment in others):
            return
        if not segments:
            self._unlinked(file, line, time, previous)
            return
        last = max(segments, key=lambda segment: segment.last.seq)
        if last.last.seq < previous.seq:
            reason = f"lines {last.last.seq + 1} to {previous.seq} of chain {previous.chain} are missing before it"
        else:
            reason = f"line {previous.seq} of chain {previous.chain}, which it follows, was changed or moved"
        self._fault(file, line, f"{reason}; the chain ends at {last.file}:{last.last_line}")

    def _unlinked(self, file: str, line: int, time: str, head: Head) -> None:
        """What *head* follows is in none of the files: a fault if there are earlier lines of the same writer."""
        family = original_name(file)
        earlier = [
            segment
            for segment in self._segments
            if original_name(segment.file) == family
            and (segment.line < line if segment.file == file else segment.time < time)
            and segment.first != head
        ]
        reason = f"what was before line {head.seq} of chain {head.chain} is in none of the files"
        if earlier:
            self._fault(file, line, f"{reason}: lines were removed, or a file is missing")
        else:
            self.result.notes.append(Fault(file, line, reason))

    def _fault(self, file: str, line: int, reason: str) -> None:
        self.result.faults.append(Fault(file, line, reason))


def _changed(head: Head) -> str:
    return f"line {head.seq} of chain {head.chain} was changed, or the line before it, or the key is another"


def _gap(before: Head, head: Head) -> str:
    if head.seq > before.seq + 1:
        return f"lines {before.seq + 1} to {head.seq - 1} of chain {head.chain} are missing before it"
    return f"line {head.seq} of chain {head.chain} was added or moved: it comes after line {before.seq}"


def original_name(file: str) -> str:
    """Returns the name that a file had before it was rotated: its own, if it was not."""
    return _ROTATED.sub("", Path(file).name)
