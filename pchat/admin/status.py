"""``pchatctl status``: how the server is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pchat.admin.output import print_details, shown
from pchat.admin.program import Verb
from pchat.admin.session import Session, address


@click.command("status", cls=Verb)
@click.pass_obj
def status(session: Session) -> None:
    """Tell how the server is; without one, how its store is."""
    running, found = session.ask_whom("GET", address("status"))
    session.show({"running": running, **found}, _print_status)


def _print_status(found: dict[str, Any]) -> None:
    click.echo("The server runs." if found["running"] else "No server runs.")
    sections: dict[str, object] = {}
    for name, value in found.items():
        if name == "uptime_seconds":
            sections["uptime"] = duration(value)
        elif name != "running":
            sections[name] = _lines(value)
    print_details(sections)


def _lines(value: object) -> object:
    """Write the members of a group one a line."""
    if not isinstance(value, Mapping):
        return value
    return [f"{name.replace('_', ' ')}: {shown(item)}" for name, item in value.items()]


def duration(seconds: int) -> str:
    """Write a number of seconds for a person: ``3 days 4:05:06``."""
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3_600}:{rest % 3_600 // 60:02}:{rest % 60:02}"
    return f"{days} day{'' if days == 1 else 's'} {clock}" if days else clock
