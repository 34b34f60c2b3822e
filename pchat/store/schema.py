"""The store's schema in numbered steps, with a version and a compat number.

The version counts the steps that a store has had. The compat number is the lowest version that a server
must know to use the store: a step that old servers can live with leaves it alone, so two neighbouring
versions may run side by side while a pool is upgraded.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.resources import files

from attrs import frozen

from pchat.errors import OperatorError, OurError

#: The first line of a step: ``-- compat 1``.
COMPAT_LINE = re.compile(r"--\s*compat\s+(\d+)\s*$")
STEP_NAME = re.compile(r"(\d{4})_(\w+)\.(\w+)\.sql$")


@frozen
class Step:
    """One step of the schema.

    Args:
        number: Version that the store has after it.
        name: Its file's name.
        compat: Compat number that the store has after it.
        sql: The statements.
    """

    number: int
    name: str
    compat: int
    sql: str


@frozen
class StoreVersion:
    """The version and compat number written in a store; both 0 in an empty one."""

    version: int
    compat: int


def read_step(name: str, sql: str) -> Step:
    """Read a step from its file's name and text.

    Raises:
        OurError: The name has no number, or the first line does not tell the compat number.
    """
    named = STEP_NAME.match(name)
    compat = COMPAT_LINE.match(sql.split("\n", 1)[0])
    if named is None or compat is None:
        raise OurError(f"schema step {name}: the name or the compat line is wrong")
    return Step(int(named[1]), name, int(compat[1]), sql)


def find_steps(engine: str) -> tuple[Step, ...]:
    """Find the steps for an engine, ``sqlite`` or ``postgresql``, in their order.

    Raises:
        OurError: A number is missing or there twice.
    """
    folder = files("pchat.store") / "steps"
    steps = sorted(
        (
            read_step(entry.name, entry.read_text(encoding="utf-8"))
            for entry in folder.iterdir()
            if entry.name.endswith(f".{engine}.sql")
        ),
        key=lambda step: step.number,
    )
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise OurError(f"schema steps for {engine} are not numbered 1, 2, 3 …")
    return tuple(steps)


def missing_steps(steps: Sequence[Step], found: StoreVersion) -> Sequence[Step]:
    """Tell which steps a store still needs.

    Raises:
        OperatorError: The store needs a newer version of this program.
    """
    if found.compat > len(steps):
        raise OperatorError(
            f"the store has schema version {found.version} and needs a program that knows at least "
            f"version {found.compat}; this one knows {len(steps)}: install a newer release"
        )
    return steps[found.version :]


def statements(sql: str) -> Iterator[str]:
    """Cut a step into its statements."""
    waiting = ""
    for piece in sql.split(";"):
        waiting += piece
        if sqlite3.complete_statement(waiting + ";"):
            if not _only_comments(waiting):
                yield waiting.strip()
            waiting = ""
        else:
            waiting += ";"
    if not _only_comments(waiting.rstrip(";")):
        raise OurError(f"a schema step ends inside a statement: {waiting[-60:]!r}")


def _only_comments(sql: str) -> bool:
    return all(not line.strip() or line.strip().startswith("--") for line in sql.splitlines())


def sqlite_version(connection: sqlite3.Connection) -> StoreVersion:
    """Read the version of an SQLite store.

    Raises:
        OperatorError: The file is another program's database.
    """
    tables = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
    if not tables:
        return StoreVersion(0, 0)
    if "store_info" not in tables:
        raise OperatorError("the file is a database, but not a chat store")
    numbers = connection.execute("select version, compat from store_info").fetchone()
    if numbers is None or not all(isinstance(number, int) and number > 0 for number in numbers):
        raise OperatorError("the file is damaged: it does not tell the version of its schema")
    return StoreVersion(*numbers)


def check_objects(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Refuse a store whose tables are not those that our steps make, or that has more than these.

    A trigger that somebody put into a file would run with every change of the server that opens it: it could
    take entries from the audit log as they are written.

    Args:
        connection: Of a store that is not empty.
        steps: All steps that this program knows.

    Raises:
        OperatorError: Something is missing, changed or not ours, or the store is newer than this program.
    """
    version = sqlite_version(connection).version
    if version > len(steps):
        raise OperatorError(
            f"the store has schema version {version}, and this program knows {len(steps)}: "
            "install a newer release"
        )
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        upgrade_sqlite(ours, steps[:version])
        expected = _objects(ours)
    found = _objects(connection)
    for kind, name in sorted(expected.keys() | found.keys()):
        known, there = (objects.get((kind, name), "") for objects in (expected, found))
        if known != there:
            what = (
                "is missing" if there == "" else "does not belong there" if known == "" else "is another one"
            )
            raise OperatorError(f"the file is no chat store as it should be: its {kind} {name} {what}")


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str | None]:
    """Tell the definition of each table, index, view and trigger, by kind and name."""
    # How the tables behind a virtual one are written differs between releases of SQLite; their names do not.
    shadows = {
        row[0] for row in connection.execute("select name from pragma_table_list where type = 'shadow'")
    }
    rows = connection.execute(
        "select type, name, sql from sqlite_master where name not like 'sqlite~_%' escape '~'"
    )
    return {(kind, name): None if name in shadows else sql for kind, name, sql in rows}


def check_domain(connection: sqlite3.Connection, domain: str) -> None:
    """Refuse a store that was begun for another SIP domain; nothing is changed, not even the schema.

    Args:
        connection: Of a store of any version, an empty one too.
        domain: The configured domain, in lower case.

    Raises:
        OperatorError: It is another one.
    """
    if sqlite_version(connection).version == 0:
        return
    kept = connection.execute("select domain from store_info").fetchone()[0]
    if kept not in {"", domain}:
        raise OperatorError(
            f"the store belongs to the domain {kept}, not {domain}: set domain to {kept!r} in [server], or "
            "set data to another directory for a store of its own"
        )


def keep_domain(connection: sqlite3.Connection, domain: str) -> None:
    """Write the SIP domain into a store that has none yet."""
    connection.execute("update store_info set domain = ? where domain = ''", (domain,))


def upgrade_sqlite(connection: sqlite3.Connection, steps: Sequence[Step]) -> StoreVersion:
    """Apply the steps that an SQLite store lacks, each in a transaction of its own.

    Args:
        connection: In autocommit mode, the only writer.
        steps: All steps that this program knows.

    Returns:
        The version after it.

    Raises:
        OperatorError: The store is newer than this program allows, or not a chat store.
        sqlite3.Error: A step failed; nothing of it was kept.
    """
    for step in missing_steps(steps, sqlite_version(connection)):
        connection.execute("begin immediate")
        try:
            for statement in statements(step.sql):
                connection.execute(statement)
            connection.execute("update store_info set version = ?, compat = ?", (step.number, step.compat))
            connection.execute("commit")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
    return sqlite_version(connection)
