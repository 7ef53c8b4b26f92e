"""Reads the documents as a reader does: pages, the blocks of code in them, commands, links, anchors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)

_FENCE = re.compile(r"(?P<indent> *)```(?P<language>[\w-]*)\s*$")
_COMMENT = re.compile(r"<!-- (.*?) -->")
_NOT_RUN = "not run: "
_PRINTED = "printed by the block before"
_INLINE_CODE = re.compile(r"`+([^`\n]+)`+")
_TARGET = re.compile(
    r"\]\(<?([^)\s>]+)|(?:href|src|srcset)=\"([^\"]+)\"|^\[[^\]]+\]:\s*(\S+)", re.M
)
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.M)
_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: as it stands behind the fence; "" for none.
        line: where its text begins, counted from 1.
        mark: the comment on the line before the fence; "" for none.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def why_not_run(self) -> str | None:
        """The reason that a mark gives."""
        return self.mark.removeprefix(_NOT_RUN) if self.mark.startswith(_NOT_RUN) else None

    @property
    def is_output(self) -> bool:
        """Whether it is what the block before it prints."""
        return self.mark == _PRINTED

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks, in order."""
    lines = read(page).splitlines()
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if opened is None:
            mark = _COMMENT.fullmatch(lines[number - 1].strip()) if number else None
            opened = number + 1, fence["language"], mark[1] if mark else ""
        else:
            start, language, comment = opened
            cut = len(fence["indent"])
            text = "\n".join(one[cut:] for one in lines[start:number]) + "\n"
            yield Block(page, start + 1, language, text, comment)
            opened = None
    assert opened is None, f"{page}:{opened and opened[0]}: a block that does not end"


def prose(page: Path) -> str:
    """The page without its blocks, line by line where it was."""
    lines = read(page).splitlines()
    for block in blocks(page):
        length = block.text.count("\n")
        lines[block.line - 2 : block.line + length] = [""] * (length + 2)
    return "\n".join(lines)


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Where a command for the shell stands, and the command: a line of a block, or code within prose."""
    for block in blocks(page):
        if block.language in ("", "sh"):
            for offset, line in enumerate(block.text.replace("\\\n", "  ").splitlines()):
                yield f"{page}:{block.line + offset}", line.strip()
    for number, line in enumerate(prose(page).splitlines(), 1):
        for code in _INLINE_CODE.findall(line):
            yield f"{page}:{number}", code.strip()


def links(page: Path) -> Iterator[str]:
    """What the page's links and pictures point to."""
    for match in _TARGET.finditer(_INLINE_CODE.sub("", prose(page))):
        yield next(target for target in match.groups() if target)


def anchors(page: Path) -> set[str]:
    """The fragments that links to the page may have, as GitHub makes them."""
    text = prose(page)
    seen: Counter[str] = Counter()
    found = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found
