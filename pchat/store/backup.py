"""Copies of an SQLite store: made while a server works on it, checked, and put back.

Source: SQLite, "SQLite Backup API" and "Write-Ahead Logging" (a reader keeps the moment it began at).
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import mkstemp

from pchat import ticks
from pchat.errors import OperatorError
from pchat.store.changes import Stamp
from pchat.store.lock import StoreLock
from pchat.store.schema import (
    StoreVersion,
    check_domain,
    check_objects,
    find_steps,
    missing_steps,
    sqlite_version,
)

#: Pages copied between two reports of progress: some milliseconds of work.
PAGES = 1_000
#: Seconds to wait for another process's lock on the file.
BUSY_SECONDS = 30.0
#: What belongs to a store beside its main file while it is in use.
COMPANIONS = ("-wal", "-shm")

#: The schema's version since which there is an audit log.
FIRST_WITH_AUDIT = 2

#: Is told how many pages were copied, and how many there are.
Progress = Callable[[int, int], object]


def back_up(store: Path, target: Path, progress: Progress) -> int:
    """Copy a store as it is at one moment; a server may go on writing meanwhile.

    Args:
        store: The store's file.
        target: Where the copy goes; must not exist. It is ours alone (0600), and there whole or not at all.
        progress: Told after each piece.

    Returns:
        Bytes of the copy.

    Raises:
        OperatorError: There is no store, the target exists, or a disk is in the way.
    """
    if not store.exists():
        raise OperatorError(f"{store}: there is no store to copy")
    if target.exists():
        raise OperatorError(f"{target} exists already; choose another name")
    beside = _new_file(target, ".part")
    try:
        with closing(_read_only(store)) as source, closing(sqlite3.connect(beside)) as copy:
            # Without a moment of its own the copy would begin anew with every write of the server.
            source.execute("begin")
            source.execute("select 1 from sqlite_master").fetchone()
            source.backup(
                copy, pages=PAGES, progress=lambda _, left, total: progress(total - left, total), sleep=0
            )
            # One file is easier to keep than three.
            copy.execute("pragma journal_mode = delete")
        _sync(beside)
        _check(beside)
        os.link(beside, target)  # unlike a rename, this never replaces what came meanwhile
        _sync(target.parent)
    except FileExistsError:
        raise OperatorError(f"{target} exists already; choose another name") from None
    except (sqlite3.Error, OSError) as error:
        raise OperatorError(f"{target}: the copy failed: {error}") from error
    finally:
        _throw_away(beside)
    return target.stat().st_size


def restore(source: Path, store: Path, domain: str, progress: Progress, stamp: Stamp) -> Path | None:
    """Put a copy in the place of a store that no server uses; the present one is kept beside it.

    Args:
        source: A copy that `back_up` made.
        store: The store's file.
        domain: The configured SIP domain; a store of another one is refused.
        progress: Told after each piece.
        stamp: Who does it, and when: it ends the name of the file that is kept, and is in the audit log.

    Returns:
        Where the store is that was there before, None if there was none.

    Raises:
        StoreInUse: A server has the store.
        OperatorError: The copy is damaged, of another domain or too new, or a disk is in the way.
    """
    if not source.is_file():
        raise OperatorError(f"{source}: there is no such file, or it is a device or a pipe")
    lock = StoreLock(store)
    lock.take()
    beside: Path | None = None
    try:
        _check(source, domain)
        beside = _new_file(store, ".restoring")
        with closing(_read_only(source)) as found, closing(sqlite3.connect(beside)) as copy:
            found.backup(copy, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
            _write_down(copy, source, stamp)
        _sync(beside)
        # Once more: the file may have been another one a moment ago.
        _check(beside, domain)
        kept = _put_aside(store, stamp)
        beside.replace(store)
        _sync(store.parent)
        return kept
    except (sqlite3.Error, OSError) as error:
        raise OperatorError(f"{store}: restoring failed: {error}") from error
    finally:
        if beside is not None:
            _throw_away(beside)
        lock.release()


def _new_file(path: Path, ending: str) -> Path:
    """Make an empty file beside another, ours alone: never one that was there, nor what a link leads to.

    Raises:
        OperatorError: It cannot be made.
    """
    try:
        descriptor, name = mkstemp(ending, f"{path.name}.", path.parent)
    except OSError as error:
        raise OperatorError(f"{path.parent}: {error.strerror}") from error
    os.close(descriptor)
    return Path(name)


def _write_down(copy: sqlite3.Connection, source: Path, stamp: Stamp) -> None:
    """Tell the audit log that what follows in it follows after a restore; the oldest stores have none."""
    if sqlite_version(copy).version >= FIRST_WITH_AUDIT:
        copy.execute(
            "insert into audit (time_ticks, actor, action, kind, object, after) values (?, ?, ?, ?, ?, ?)",
            (stamp.now, stamp.actor, "restore", "store", "", json.dumps({"file": os.fspath(source)})),
        )
        copy.commit()


def _throw_away(beside: Path) -> None:
    """Remove a file that `_new_file` made, with what SQLite left beside it when the disk was full."""
    for ending in ("", "-journal", *COMPANIONS):
        beside.with_name(beside.name + ending).unlink(missing_ok=True)


def _put_aside(store: Path, stamp: Stamp) -> Path | None:
    if not store.exists():
        return None
    moment = re.sub("[-:]", "", ticks.to_iso(stamp.now)[:19])
    try:
        # What the write-ahead log still holds goes into the main file, so that it alone is the store.
        with closing(sqlite3.connect(store, timeout=BUSY_SECONDS)) as old:
            old.execute("pragma wal_checkpoint(truncate)")
            old.execute("pragma journal_mode = delete")
    except sqlite3.DatabaseError:
        pass  # a damaged store is what one restores for; it is kept with all that belongs to it
    kept = store.with_name(f"{store.name}.before-{moment}Z")
    os.link(store, kept)
    for companion in COMPANIONS:
        beside = store.with_name(store.name + companion)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + companion))
    return kept


def _check(path: Path, domain: str | None = None) -> StoreVersion:
    """See that a copy is a whole store of ours.

    Raises:
        OperatorError: It is not.
    """
    try:
        with closing(_read_only(path)) as connection:
            found = sqlite_version(connection)
            told = connection.execute("pragma quick_check(1)").fetchone()[0]
            if domain is not None:
                check_domain(connection, domain)
                check_objects(connection, find_steps("sqlite"))
    except sqlite3.Error as error:
        raise OperatorError(f"{path} is no chat store: {error}") from error
    if told != "ok" or found.version == 0:
        raise OperatorError(f"{path} is damaged or no chat store: {told}")
    missing_steps(find_steps("sqlite"), found)
    return found


def _read_only(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    connection.execute("pragma query_only = on")
    return connection


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
