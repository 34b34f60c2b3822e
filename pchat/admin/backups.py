"""``pchatctl backup`` and ``pchatctl restore``: copies of the store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import DownloadColumn

from pchat import ticks
from pchat.admin.output import print_line
from pchat.admin.program import Verb
from pchat.admin.progress import progress_bar
from pchat.admin.session import Session
from pchat.admin.socket import actor_of
from pchat.store.backup import Progress as Told
from pchat.store.backup import back_up
from pchat.store.backup import restore as put_back
from pchat.store.changes import Stamp


class _File(click.Path):
    """A path of a file, which is not empty: that would stand for the directory we are in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check what was typed."""
        if not str(value):
            self.fail("a file name is missing", param, ctx)
        return super().convert(value, param, ctx)


FILE = _File(path_type=Path, dir_okay=False)
#: SQLite's usual page; only the bar counts with it.
PAGE_BYTES = 4_096


@click.command("backup", cls=Verb)
@click.argument("file", type=FILE)
@click.pass_obj
def backup(session: Session, file: Path) -> None:
    """Copy the store into a new FILE, also while the server runs.

    The copy holds NT hashes, which are as good as passwords. The configuration and the directory tls/ are
    not in it.
    """
    store = session.config().database
    with _pages("Copying", session) as progress:
        size = back_up(store, file, progress)
    session.show(
        {"file": str(file), "bytes": size},
        lambda found: print_line(f"The store is copied to {file} ({found['bytes']:,} bytes)."),
    )


@click.command("restore", cls=Verb)
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restore(session: Session, file: Path, yes: bool) -> None:
    """Put the copy in FILE in the place of the store; the server must not run. The old store is kept."""
    config = session.config()
    store = config.database
    session.confirm(f"Put {file} in the place of {store}?", sure=yes)
    stamp = Stamp(actor_of(os.geteuid()), ticks.from_unix(time.time()))
    with _pages("Restoring", session) as progress:
        kept = put_back(file, store, config.server.domain, progress, stamp)
    before = "" if kept is None else f" The store that was there is {kept}."
    session.show(
        {"store": str(store), "kept": None if kept is None else str(kept)},
        lambda _: print_line(f"The store is what {file} holds.{before}"),
    )


@contextmanager
def _pages(what: str, session: Session) -> Iterator[Told]:
    """Count pages, and show bytes."""
    with progress_bar(what, DownloadColumn(), quiet=session.as_json) as show:
        yield lambda done, of: show(done * PAGE_BYTES, of * PAGE_BYTES)
