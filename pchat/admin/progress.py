"""How far a long command is, for a person at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(what: str, amount: ProgressColumn, *, quiet: bool) -> Iterator[Callable[[int, int], object]]:
    """Show a bar on standard error, if that is a terminal.

    Args:
        what: What is done, in a few words.
        amount: Writes how much is done.
        quiet: Whether a program reads the output.

    Returns:
        A context; within it a function that is told how much is done, and of how much.
    """
    columns = (TextColumn(what), BarColumn(), amount, TimeRemainingColumn())
    console = Console(file=sys.stderr)
    disabled = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disabled) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
