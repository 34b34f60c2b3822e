"""Reads a conversation script.

A script is text. A line that begins at the margin is a *sentence*; indented lines below it are what the
sentence is about: a message, or a part of one. ``#`` begins a comment at the margin. The first line is the
title.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from attrs import frozen


@frozen
class Step:
    """One sentence.

    Args:
        line: Its number in the file.
        sentence: What it says, without the full stop or colon at its end.
        body: The indented lines below it, without the indentation.
    """

    line: int
    sentence: str
    body: str


@frozen
class Script:
    """One conversation.

    Args:
        path: The file.
        title: What a user would learn from it.
        steps: What happens, in order.
    """

    path: Path
    title: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """The name of its test method."""
        return "test_" + re.sub(r"\W+", "_", self.path.stem)


def _sentence(line: str) -> str:
    text = line.strip()
    # The three dots of "anything" are not a full stop.
    return text if text.endswith("...") else text.removesuffix(":").removesuffix(".")


def read_script(path: Path) -> Script:
    """Read a file.

    Raises:
        ValueError: It has no title, or begins with an indented line.
    """
    title, steps = "", []
    lines = path.read_text(encoding="utf-8").splitlines()
    position = 0
    while position < len(lines):
        line = lines[position]
        number = position = position + 1
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            raise ValueError(f"{path.name}:{number}: an indented line without a sentence above it")
        begin = position
        while position < len(lines) and (not lines[position].strip() or lines[position][0].isspace()):
            position += 1
        if not title:
            title = line.strip().rstrip(".") + "."
            continue
        body = textwrap.dedent("\n".join(lines[begin:position])).strip("\n")
        steps.append(Step(number, _sentence(line), body))
    if not title:
        raise ValueError(f"{path.name}: no title")
    return Script(path, title, tuple(steps))
