"""``pchatctl report``: how the service is used."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.output import print_line, print_table, to_the_second
from pchat.admin.program import Count, Noun
from pchat.admin.session import Session, address
from pchat.rooms.usage import DAYS, MOST_DAYS, MOST_TOP, TOP

_ROOM_COLUMNS = ("Room", "Category", "Messages", "Last message")
#: Columns that the longest bar of a trend takes.
BAR = 40


@click.group("report", cls=Noun)
def reports() -> None:
    """Reports on how the service is used."""


@reports.command("usage")
@click.option(
    "--days",
    type=Count(1, MOST_DAYS),
    default=DAYS,
    show_default=True,
    help="How many days, today included.",
)
@click.option(
    "--top",
    type=Count(1, MOST_TOP),
    default=TOP,
    show_default=True,
    help="Rooms and users in each list.",
)
@click.pass_obj
def usage(session: Session, days: int, top: int) -> None:
    """Tell the busiest and the quietest rooms, who writes most, and how it changes over time.

    Messages are counted as they are kept: of rooms without history only the last message is known.
    """
    query = {"days": str(days), "top": str(top)}
    session.show(session.ask("GET", address("reports", "usage", query=query)), _print_usage)


def _print_usage(found: dict[str, Any]) -> None:
    print_line(f"{found['messages']} messages from {found['since'][:10]} to {found['until'][:10]}")
    _print_rooms("Busiest rooms", found["top_rooms"])
    _print_rooms("Least active rooms", found["least_active_rooms"])
    _print_rooms(f"Silent rooms ({found['silent_rooms_total']} in all)", found["silent_rooms"])
    click.echo()
    print_line("Who writes most")
    print_table(
        ("User", "Name", "Messages"),
        [(user["uri"], user["display_name"], user["messages"]) for user in found["top_users"]],
        "nobody",
        whole=("User",),
    )
    for name in ("monthly", "weekly", "daily"):
        _print_trend(name, found[name])


def _print_rooms(title: str, rooms: list[dict[str, Any]]) -> None:
    click.echo()
    print_line(title)
    rows = [
        (room["name"], room["category"], room["messages"], to_the_second(room["last_message"]))
        for room in rooms
    ]
    print_table(_ROOM_COLUMNS, rows, "none")


def _print_trend(name: str, steps: list[dict[str, Any]]) -> None:
    most = max((step["messages"] for step in steps), default=0) or 1
    click.echo()
    print_line(name.capitalize())
    print_table(
        ("From", "Messages", ""),
        [(step["from"], step["messages"], "█" * round(step["messages"] * BAR / most)) for step in steps],
        "nothing",
    )
