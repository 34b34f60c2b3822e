"""What ``pchatctl`` prints: tables for persons, JSON for programs.

Names come from users: nothing in them is interpreted, neither as markup nor by the terminal.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pchat.rooms.names import fold

#: What a terminal may act on, or what may make a name look like another.
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Joiners that several scripts and emoji need inside words.
_JOINERS = frozenset("\u200c\u200d")
#: Wide enough that nothing is cut or wrapped when the output is a file or a pipe.
_UNBOUNDED = 1_000_000

#: Columns between two columns of a table, and the least that is left to one that may be wrapped.
GAP = 2
NARROWEST = 8
#: What is copied as a whole, and of no use in two pieces.
_ADDRESS = re.compile(r"(?:sip|ma-chan|ma-cat|ma-grp):\S+$")
#: DEL is ASCII, but JSON does not escape it.
_BEYOND_ASCII = re.compile(r"[^\n -~]")
_FRACTION = re.compile(r"\.\d+Z$")


def by_name(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort what has names, for persons; programs get it in the order in which it was made."""
    return sorted(found, key=lambda one: fold(str(one["name"])))


def printable(text: str) -> str:
    """Make a text safe to print in one line: characters that are not seen are written as escapes."""
    return "".join(
        character
        if character in _JOINERS or unicodedata.category(character) not in _DANGEROUS
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shown(value: object) -> str:
    """Write a value for a person, in one line."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if {"uri", "kind"} <= set(value) <= {"uri", "kind", "name", "granted_by", "granted_on"}:
            return printable(str(value.get("name", value["uri"])))
        return ", ".join(f"{printable(_label(str(name)))} {shown(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "-"
    return printable(str(value))


def print_json(value: object, *, error: bool = False) -> None:
    """Print a value as JSON, as the stream's encoding allows; what a terminal may act on is escaped."""
    stream = sys.stderr if error else sys.stdout
    unicode = (stream.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not unicode, indent=None if error else 2)
    # A person may read it too. Beyond ASCII there is nothing but the content of texts.
    click.echo(_BEYOND_ASCII.sub(_escaped, text), err=error)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    seen = character in _JOINERS or unicodedata.category(character) not in _DANGEROUS
    return character if seen else json.dumps(character)[1:-1]


def print_line(text: str) -> None:
    """Print a line that may hold names."""
    click.echo(printable(text))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str, *, whole: Sequence[str] = ()
) -> None:
    """Print a table.

    Args:
        columns: Headings.
        rows: Values, as many a row as there are columns.
        empty: What is printed if there are no rows.
        whole: Columns that are never wrapped, because they are copied: addresses.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    cells = [[shown(value) for value in row] for row in rows]
    for row in cells:
        table.add_row(*map(Text, row))
    needed = sum(
        max(map(cell_len, values)) + GAP if values[0] in whole else NARROWEST + GAP
        for values in zip(columns, *cells, strict=True)
    )
    if table.row_count:
        _print(table, needed)
    else:
        click.echo(empty)


def print_details(value: Mapping[str, Any]) -> None:
    """Print one thing, an attribute a line; lists and groups of values a line each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    needed = 0
    for name, item in value.items():
        entries = item if isinstance(item, list) and item else [item]
        for number, entry in enumerate(entries):
            text = shown(to_the_second(entry) if name.endswith("_on") else entry)
            table.add_row(Text("" if number else printable(_label(name))), Text(text))
            if _ADDRESS.match(text):
                needed = max(needed, cell_len(text))
    _print(table, max(map(cell_len, value), default=0) + GAP + needed if needed else 0)


def to_the_second(value: object) -> object:
    """Shorten a time; nobody reads fractions of a second."""
    return _FRACTION.sub("Z", value) if isinstance(value, str) else value


def _label(name: str) -> str:
    return name.replace("_", " ")


def _print(table: Table, needed: int) -> None:
    """Print a table as wide as the terminal, or as what must not be wrapped needs."""
    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        force_terminal=terminal,
        no_color=not terminal or None,
        width=None if terminal else _UNBOUNDED,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )
    console.size = (max(console.width, needed), console.height)
    with console.capture() as captured:
        console.print(table)
    # Tables are filled with blanks to the right, which is of no use to anybody.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
