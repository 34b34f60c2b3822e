"""``pchatctl room``: rooms and their role lists."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import click

from pchat.admin.names import ADDIN, CATEGORY, ROOM
from pchat.admin.output import by_name, print_details, print_line, print_table, printable
from pchat.admin.program import Count, Noun
from pchat.admin.roles import print_role
from pchat.admin.routes import MOST_ENTRIES
from pchat.admin.session import Session, address

Function = Callable[..., Any]
#: As far as Get-CsPersistentChatRoom counts (ResultSize).
LARGEST = 2_147_483_647
PRIVACY = click.Choice(["open", "closed", "secret"], case_sensitive=False)
TYPE = click.Choice(["normal", "auditorium"], case_sensitive=False)
ROLES = ("manager", "member", "presenter")
#: Entries of each role list that ``room show`` has for persons.
ENTRIES_SHOWN = 10
INVITATIONS = click.Choice(["inherit", "false"], case_sensitive=False)


@click.group("room", cls=Noun)
def rooms() -> None:
    """Rooms; each is named by its name, URI or GUID."""


def _attributes(function: Function) -> Function:
    """Give a command the options that add and set have in common."""
    options = [
        click.option("--description", metavar="TEXT", help="One line."),
        click.option("--privacy", type=PRIVACY, help="Who may find and join it."),
        click.option("--type", "type_", type=TYPE, help="In an auditorium presenters alone may post."),
        click.option("--invitations", type=INVITATIONS, help="As its category says, or none."),
        click.option("--addin", metavar="A", shell_complete=ADDIN, help="A registered add-in; '' for none."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _lists(function: Function) -> Function:
    """Give a command the options that replace whole role lists."""
    for role in ("presenter", "manager", "member"):
        text = f"All {role}s: address, group or domain; repeatable, '' for nobody."
        function = click.option(f"--{role}", f"{role}s", metavar="P", multiple=True, help=text)(function)
    return function


def _body(given: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_"): value for name, value in given.items() if value is not None}


@rooms.command("add")
@click.argument("name")
@click.option(
    "--category", metavar="C", shell_complete=CATEGORY, required=True, help="Name or URI of its category."
)
@click.option("--disabled", is_flag=True, help="Keep everybody out until it is enabled.")
@_attributes
@click.pass_obj
def add(session: Session, /, name: str, disabled: bool, **given: Any) -> None:
    """Make a room, closed and normal unless told otherwise, with empty role lists."""
    body = {"name": name} | _body(given) | ({"disabled": True} if disabled else {})
    session.show(session.ask("POST", address("rooms"), body), print_details)


@rooms.command("list")
@click.option("--filter", "filter_", metavar="T", help="Part of the name.")
@click.option("--search-description", is_flag=True, help="Look for it in the description as well.")
@click.option("--category", metavar="C", shell_complete=CATEGORY, help="Rooms of a category.")
@click.option("--addin", metavar="A", shell_complete=ADDIN, help="Rooms that have an add-in.")
@click.option("--member", metavar="U", help="Rooms that have U, or his domain or group, as member.")
@click.option("--manager", metavar="U", help="The same for managers.")
@click.option("--presenter", metavar="U", help="The same for presenters.")
@click.option("--privacy", type=PRIVACY)
@click.option("--type", "type_", type=TYPE)
@click.option("--invitations", type=INVITATIONS)
@click.option("--disabled/--enabled", default=None, help="Disabled rooms only, or the others only.")
@click.option("--exceeds-mb", metavar="N", type=Count(0, LARGEST), help="Rooms with more text.")
@click.option("--limit", metavar="N", type=Count(0, LARGEST), help="So many rooms at most.")
@click.pass_obj
def list_rooms(
    session: Session,
    /,
    search_description: bool,
    disabled: bool | None,
    exceeds_mb: int | None,
    limit: int | None,
    **given: Any,
) -> None:
    """List rooms: all, or those that pass every filter."""
    query = _body(given)
    if search_description:
        query["search_description"] = "true"
    if disabled is not None:
        query["disabled"] = "true" if disabled else "false"
    if exceeds_mb is not None:
        query["exceeds_mb"] = str(exceeds_mb)
    none = "There are no such rooms." if query or limit is not None else "There are no rooms."
    if limit is not None and limit <= MOST_ENTRIES:
        query["limit"] = str(max(limit, 1))
    found = session.ask("GET", address("rooms", query=query))
    session.show(found[:limit], lambda rooms: _print_rooms(rooms, none))


def _print_rooms(found: list[dict[str, Any]], none: str) -> None:
    rows = [
        (
            room["name"],
            room["category"],
            room["privacy"],
            room["type"],
            "disabled" if room["disabled"] else "active",
            room["uri"].rpartition("/")[2],
        )
        for room in by_name(found)
    ]
    # A whole URI would leave no place for the rest; a GUID alone names a room as well.
    print_table(("Name", "Category", "Privacy", "Type", "State", "GUID"), rows, none, whole=("GUID",))


@rooms.command("show")
@click.argument("room", shell_complete=ROOM)
@click.pass_obj
def show(session: Session, room: str) -> None:
    """Show one room with its role lists, who granted them, and how much it holds."""
    session.show(session.ask("GET", address("rooms", room)), _print_room)


def _print_room(room: dict[str, Any]) -> None:
    lists = {role: room[f"{role}s"] for role in ROLES}
    # A list without anybody is told in a line; the others have a table each.
    print_details({name: value for name, value in room.items() if name[:-1] not in lists or not value})
    for role, entries in lists.items():
        if entries:
            print_line("")
            print_role(role, entries[:ENTRIES_SHOWN])
        if len(entries) > ENTRIES_SHOWN:
            more = len(entries) - ENTRIES_SHOWN
            print_line(f"and {more} more: pchatctl room {role} list {shlex.quote(room['name'])}")


@rooms.command("set")
@click.argument("room", shell_complete=ROOM)
@click.option("--name", metavar="NAME", help="A new name.")
@click.option(
    "--category", metavar="C", shell_complete=CATEGORY, help="Name or URI of the category to move it to."
)
@click.option("--disabled", type=click.Choice(["yes", "no"]), help="Keep everybody out of it, or no longer.")
@_attributes
@_lists
@click.pass_obj
def change(session: Session, /, room: str, disabled: str | None, **given: Any) -> None:
    """Change a room, all at once; a list that is given replaces the whole list.

    Roles that the room may no longer have are taken away.
    """
    lists = {name: list(given.pop(name)) for name in ("members", "managers", "presenters") if given[name]}
    body = _body({name: value for name, value in given.items() if value != ()}) | lists
    if disabled is not None:
        body["disabled"] = disabled == "yes"
    if not body:
        raise click.UsageError("nothing to change is given")
    changed = session.ask("PATCH", address("rooms", room), body)
    session.tell_removed(changed["removed"], "that the room may no longer have")
    session.show(changed, lambda _: print_line(f"The room {changed['name']} is changed."))


@rooms.command("move")
@click.argument("room", shell_complete=ROOM)
@click.option(
    "--category",
    metavar="C",
    shell_complete=CATEGORY,
    required=True,
    help="Name or URI of the category to move it to.",
)
@click.pass_obj
def move(session: Session, room: str, category: str) -> None:
    """Move a room to another category.

    Roles outside its scope are taken away, and are not given back when the room is moved back.
    """
    moved = session.ask("POST", address("rooms", room, "move"), {"category": category})
    session.tell_removed(moved["removed"], "outside the new scope")
    session.show(moved, lambda _: print_line(f"The room {moved['name']} is moved to {moved['category']}."))


@rooms.command("disable")
@click.argument("room", shell_complete=ROOM)
@click.pass_obj
def disable(session: Session, room: str) -> None:
    """Disable a room: everybody leaves, nobody finds it, all is kept."""
    session.show(session.ask("POST", address("rooms", room, "disable")), _print_state)


@rooms.command("enable")
@click.argument("room", shell_complete=ROOM)
@click.pass_obj
def enable(session: Session, room: str) -> None:
    """Enable a disabled room."""
    session.show(session.ask("POST", address("rooms", room, "enable")), _print_state)


def _print_state(room: dict[str, Any]) -> None:
    print_line(f"The room {room['name']} is {'disabled' if room['disabled'] else 'enabled'}.")


@rooms.command("remove")
@click.argument("room", shell_complete=ROOM)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(session: Session, room: str, yes: bool) -> None:
    """Remove a room and its messages for good."""
    session.confirm(f"Remove the room {printable(room)} and its messages for good?", sure=yes)
    session.ask("DELETE", address("rooms", room))
    session.say(f"The room {room} is removed.")
