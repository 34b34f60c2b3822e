"""``pchatctl room member|manager|presenter``: the role lists of a room."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.names import ROOM
from pchat.admin.output import print_line, print_table, to_the_second
from pchat.admin.program import Noun
from pchat.admin.session import Session, address

#: Entries of a changed list that are shown unasked.
LONGEST_SHOWN = 50


def print_role(role: str, found: list[dict[str, Any]]) -> None:
    """Print a role list, or a part of it, with who granted each entry and when."""
    rows = [
        (
            entry.get("name", entry["uri"]),
            entry["kind"],
            entry["granted_by"],
            to_the_second(entry["granted_on"]),
        )
        for entry in found
    ]
    heading = f"{role.capitalize()}s"
    headings = (heading, "Kind", "Granted by", "Granted on")
    print_table(headings, rows, f"The room has no {role}s.", whole=(heading,))


def _print_changed(role: str, room: str, found: list[dict[str, Any]]) -> None:
    if len(found) <= LONGEST_SHOWN:
        print_role(role, found)
    else:
        print_line(f"The room {room} has {len(found)} {role}s now.")


def role_commands(role: str, description: str) -> Noun:
    """Make the commands of one role list.

    Args:
        role: ``member``, ``manager`` or ``presenter``.
        description: What those on the list may do.
    """
    group = Noun(role, help=description)

    @group.command("list", help=f"List the {role}s of a room.")
    @click.argument("room", shell_complete=ROOM)
    @click.pass_obj
    def list_role(session: Session, room: str) -> None:
        found = session.ask("GET", address("rooms", room, "roles", role))
        session.show(found, lambda entries: print_role(role, entries))

    @group.command("add", help=f"Make {role}s of addresses, groups or domains: of all, or of none.")
    @click.argument("room", shell_complete=ROOM)
    @click.argument("principals", metavar="PRINCIPAL...", nargs=-1, required=True)
    @click.pass_obj
    def add(session: Session, room: str, principals: tuple[str, ...]) -> None:
        path = address("rooms", room, "roles", role)
        found = session.ask("POST", path, {"principals": list(principals)})
        session.show(found, lambda entries: _print_changed(role, room, entries))

    @group.command("remove", help=f"Take {role}s away: all of those named, or none.")
    @click.argument("room", shell_complete=ROOM)
    @click.argument("principals", metavar="PRINCIPAL...", nargs=-1, required=True)
    @click.pass_obj
    def remove(session: Session, room: str, principals: tuple[str, ...]) -> None:
        path = address("rooms", room, "roles", role, "remove")
        found = session.ask("POST", path, {"principals": list(principals)})
        session.show(found, lambda entries: _print_changed(role, room, entries))

    return group
