"""The blocks of the documents (fenced with ``` or indented by four spaces), their inline commands and their links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md"))
)


@dataclass(frozen=True, slots=True)
class Block:
    """*title* is what a fence names after the language; an indented block has neither."""

    document: str
    language: str
    title: str
    text: str

    @property
    def first(self) -> str:
        """The first line, by which the block is listed."""
        return self.text.splitlines()[0].strip()


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str) -> list[Block]:
    """Returns the blocks of *document* in their order. Raises AssertionError if a fence is not closed."""
    collected: list[Block] = []
    lines: list[str] = []
    fence: tuple[str, str] | None = None
    previous = ""
    for line in (*read(document).splitlines(), "end"):
        if fence is None and (opening := re.fullmatch(r"\s*```(\S*) ?(.*)", line)):
            fence = (opening[1], opening[2])
        elif fence is not None and line.strip() == "```":
            collected.append(Block(document, *fence, "\n".join(lines) + "\n"))
            lines, fence = [], None
        elif fence is not None:
            lines.append(line)
        elif line.startswith("    ") and (lines or not previous):
            lines.append(line.removeprefix("    "))
        elif lines and line:
            collected.append(Block(document, "", "", "\n".join(lines).rstrip("\n") + "\n"))
            lines = []
        elif lines:
            lines.append(line)
        previous = line
    assert fence is None, f"{document}: a fence is not closed"
    return collected


def block(document: str, title: str) -> str:
    """Returns the text of the only block with *title*."""
    (only,) = (one.text for one in blocks(document) if one.title == title)
    return only


def prose(document: str) -> str:
    """Returns *document* without its fenced blocks."""
    return re.sub(r"^\s*```.*?^\s*```$", "", read(document), flags=re.M | re.S)


def inline_code(document: str) -> Iterator[str]:
    """Yields what stands between single backticks, with line breaks as spaces."""
    for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(document)):
        yield " ".join(code.split())


def links(document: str) -> Iterator[str]:
    """Yields the targets of the links that lead to no other site."""
    yield from re.findall(r"\]\(((?!https?://)[^)\s]+)\)", prose(document))


def anchors(document: str) -> set[str]:
    """Returns the anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(document), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(document: str, program: str) -> Iterator[str]:
    """Yields the command lines of *program* in blocks and in inline code, without the program's name."""
    lines = [line.strip() for one in blocks(document) for line in one.text.splitlines()]
    for line in (*lines, *inline_code(document)):
        if match := re.match(rf"(?:\S*/)?{program}(?: (.*))?$", line):
            yield match[1] or ""
