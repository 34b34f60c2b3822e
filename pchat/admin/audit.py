"""``pchatctl audit``: who changed what."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.output import print_table, shown
from pchat.admin.program import Count, Noun
from pchat.admin.routes import MOST_ENTRIES
from pchat.admin.session import Session, address
from pchat.store.audit import KINDS

#: As much as a person looks through.
USUAL_LIMIT = 100
#: Stands for a text or a list that is empty.
EMPTY = "''"
#: Characters of a text, and entries of a list, that are shown to a person.
LONGEST_SHOWN = 100
ENTRIES_SHOWN = 3


@click.group("audit", cls=Noun)
def audit() -> None:
    """The log of all changes."""


@audit.command("list")
@click.option("--actor", metavar="A", help="Who did it: local:USER, token:NAME or an address.")
@click.option(
    "--object", metavar="O", help="Address, URI or name of what was changed; of what is gone, the URI."
)
@click.option("--kind", type=click.Choice(KINDS), help="Kind of what was changed.")
@click.option("--action", metavar="W", help="What was done: add, change, remove, …")
@click.option("--from", metavar="TIME", help="Not before this time, such as 2030-12-31 or 2030-12-31T08:00Z.")
@click.option("--to", metavar="TIME", help="Not after this time; a date alone is that whole day.")
@click.option("--limit", type=Count(1, MOST_ENTRIES), default=USUAL_LIMIT, show_default=True)
@click.pass_obj
def list_entries(session: Session, /, limit: int, **filters: str | None) -> None:
    """List changes, the newest first."""
    query = {name: text for name, text in filters.items() if text is not None} | {"limit": str(limit)}
    if "@" in query.get("object", "") and ":" not in query["object"]:
        query["object"] = f"sip:{query['object']}"
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
    return ", ".join(f"{name} {_value(value)}" for name, value in (attributes or {}).items())


def _value(value: Any) -> str:
    """Write one attribute, as much of it as a person takes in; ``--json`` has all of it."""
    if value in ("", []):
        return EMPTY
    if not isinstance(value, list):
        text = shown(value)
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    told = "; ".join(map(_value, value[:ENTRIES_SHOWN]))
    return told if len(value) <= ENTRIES_SHOWN else f"{told}; and {len(value) - ENTRIES_SHOWN} more"
