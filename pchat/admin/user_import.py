"""``pchatctl user import``: many accounts from a file, each by a request of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import click
from attrs import frozen
from rich.progress import MofNCompleteColumn

from pchat.admin.output import print_line
from pchat.admin.program import Verb
from pchat.admin.progress import progress_bar
from pchat.admin.session import Refused, Session, address
from pchat.errors import OperatorError

#: Bytes of a file: more accounts than one server has.
FILE_BYTES = 64 << 20
COLUMNS = ("uri", "display_name", "company", "email", "password")


@frozen
class Entry:
    """An account as it stands in a file.

    Args:
        line: Number of its line, or of its first.
        body: What is asked for; None if it cannot be understood.
        wrong: Why not.
    """

    line: int
    body: dict[str, Any] | None
    wrong: str = ""


@click.command("import", cls=Verb)
@click.argument("file", type=click.File("rb", lazy=False))
@click.pass_obj
def import_users(session: Session, file: BinaryIO) -> int:
    """Make the accounts that stand in FILE; - is standard input.

    A line each: as CSV with commas, below a line that names the columns, or as JSON objects. There are uri,
    display_name, company, email and password; all but uri may be missing. Lines that are refused are told,
    the others are done.
    """
    entries = list(read_entries(_text_of(file)))
    made, refused = 0, list[dict[str, Any]]()
    try:
        with (
            session.asking() as ask,
            progress_bar("Making accounts", MofNCompleteColumn(), quiet=session.as_json) as show,
        ):
            for number, entry in enumerate(entries, 1):
                try:
                    if entry.body is None:
                        raise Refused(entry.wrong, "not-understood")
                    ask("POST", address("users"), entry.body)
                    made += 1
                except Refused as error:
                    refused.append({"line": entry.line, "error": error.message, "code": error.code})
                    session.remark(f"line {entry.line}: {error.message}")
                show(number, len(entries))
    except BaseException:
        session.remark(f"given up: {made} of {len(entries)} accounts made before")
        raise
    told = {"made": made, "refused": refused}
    session.show(told, lambda _: print_line(f"{made} accounts made, {len(refused)} lines refused."))
    return 1 if refused else 0


def _text_of(file: BinaryIO) -> str:
    data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise OperatorError(f"the file has more than {FILE_BYTES >> 20} MiB; import it in parts")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OperatorError("the file is not UTF-8") from None


def read_entries(text: str) -> Iterator[Entry]:
    """Read a file of accounts: JSON objects if it begins with one, else CSV.

    Args:
        text: The file.

    Raises:
        OperatorError: The line that names the columns is missing or names others.

    Source: RFC 4180; RFC 8259.
    """
    return _read_json(text) if text.lstrip().startswith("{") else _read_csv(text)


def _read_json(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield Entry(number, value)
        else:
            yield Entry(number, None, "this is not a JSON object")


def _read_csv(text: str) -> Iterator[Entry]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns = [name.strip().lower() for name in next(reader, [])]
    if "uri" not in columns or set(columns) - set(COLUMNS) or len(set(columns)) < len(columns):
        raise OperatorError(f"the first line must name columns, uri and any of {', '.join(COLUMNS[1:])}")
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # What it says may repeat a password.
            yield Entry(first, None, "this is not CSV")
            continue
        if len(row) > len(columns):
            yield Entry(first, None, f"there are {len(row)} columns, not {len(columns)}")
        elif any(row):
            # What is left empty is not given: an empty password would be none.
            yield Entry(first, {name: cell for name, cell in zip(columns, row, strict=False) if cell})
