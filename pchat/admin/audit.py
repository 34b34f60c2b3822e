"""``pchatctl audit``: who changed what."""

from __future__ import annotations

import json
from typing import Any

import click

from pchat.admin.output import print_table
from pchat.admin.program import Noun
from pchat.admin.routes import MOST_ENTRIES
from pchat.admin.session import Session, address

#: As much as a person looks through.
USUAL_LIMIT = 100


@click.group("audit", cls=Noun)
def audit() -> None:
    """The log of all changes."""


@audit.command("list")
@click.option("--actor", metavar="A", help="Who did it: local:USER, token:NAME or an address.")
@click.option("--object", metavar="O", help="URI of what was changed, or its name if it has no URI.")
@click.option("--kind", metavar="K", help="Kind of what was changed: room, user, setting, …")
@click.option("--action", metavar="W", help="What was done: add, change, remove, …")
@click.option("--from", metavar="TIME", help="Not before this time, such as 2030-12-31 or 2030-12-31T08:00Z.")
@click.option("--to", metavar="TIME", help="Not after this time; a date alone is that whole day.")
@click.option("--limit", type=click.IntRange(1, MOST_ENTRIES), default=USUAL_LIMIT, show_default=True)
@click.pass_obj
def list_entries(session: Session, /, limit: int, **filters: str | None) -> None:
    """List changes, the newest first."""
    query = {name: text for name, text in filters.items() if text is not None} | {"limit": str(limit)}
    session.show(session.ask("GET", address("audit", query=query)), _print_entries)


def _print_entries(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            f"{entry['time'][:19]}Z",
            entry["actor"],
            f"{entry['action']} {entry['kind']}",
            entry["object"],
            _told(entry["before"]),
            _told(entry["after"]),
        )
        for entry in found
    ]
    columns = ("Time", "Actor", "What", "Object", "Before", "After")
    print_table(columns, rows, "There are no such changes.", whole=("Time",))


def _told(attributes: dict[str, Any] | None) -> str:
    """Write the attributes of one side of a change."""
    values = {
        name: value if isinstance(value, str) else _json(value) for name, value in (attributes or {}).items()
    }
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
