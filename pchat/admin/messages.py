"""``pchatctl message`` and ``pchatctl room clear``: what was said, found and taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from rich.progress import MofNCompleteColumn

from pchat.admin.output import print_line, print_table, printable
from pchat.admin.program import Count, Noun, Verb
from pchat.admin.progress import progress_bar
from pchat.admin.session import Session, address
from pchat.rooms.message_administration import REPLACEMENT

Function = Callable[..., Any]
MATCH = click.Choice(["all", "any", "exact"], case_sensitive=False)


@click.group("message", cls=Noun)
def messages() -> None:
    """Messages: found, removed and replaced."""


def _filters(function: Function) -> Function:
    """Give a command the options that say which messages are meant."""
    options = [
        click.option("--from", "from_", metavar="TS", help="First time, such as 2026-01-31T12:00:00Z."),
        click.option("--to", metavar="TS", help="Last time, included; a date alone is that whole day."),
        click.option(
            "--match", type=MATCH, help="All of the words (default), any, or exactly as they stand."
        ),
        click.option("--case", is_flag=True, help="Capitals count."),
        click.argument("words", nargs=-1),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _removal(function: Function) -> Function:
    """Give a command the options of what cannot be undone."""
    options = [
        click.argument("room"),
        click.option("--user", metavar="U", help="Address of the author."),
        click.option("--all", "all_", is_flag=True, help="All messages of the room are meant."),
        click.option("--yes", is_flag=True, help="Do not ask."),
    ]
    function = _filters(function)
    for option in reversed(options):
        function = option(function)
    return function


def _body(given: dict[str, Any]) -> dict[str, Any]:
    body = {name.removesuffix("_"): value for name, value in given.items() if value not in (None, False, ())}
    if "words" in body:
        body["words"] = " ".join(body["words"])
    return body


@messages.command("remove")
@_removal
@click.pass_obj
def remove(session: Session, /, room: str, yes: bool, **given: Any) -> None:
    """Remove messages of a room for good: all that pass every filter."""
    body = _chosen(given)
    session.confirm(f"Remove {_told(body)} from the room {printable(room)} for good?", sure=yes)
    done = _in_pieces(session, "removed", address("rooms", room, "messages", "remove"), body)
    session.show(done, lambda _: print_line(f"{_count(done['changed'])} of {room} removed."))


@messages.command("replace")
@_removal
@click.option("--text", metavar="T", help=f"The new text; by default: {REPLACEMENT}")
@click.pass_obj
def replace(session: Session, /, room: str, yes: bool, text: str | None, **given: Any) -> None:
    """Put a text in the place of messages; who wrote them and when stays."""
    body = _chosen(given)
    session.confirm(f"Replace {_told(body)} in the room {printable(room)} for good?", sure=yes)
    if text is not None:
        body["text"] = text
    done = _in_pieces(session, "replaced", address("rooms", room, "messages", "replace"), body)
    session.show(done, lambda _: print_line(f"{_count(done['changed'])} of {room} replaced."))


@click.command("clear", cls=Verb)
@click.argument("room")
@click.option("--until", metavar="TS", required=True, help="Last time, included; a date is that whole day.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def clear(session: Session, room: str, until: str, yes: bool) -> None:
    """Remove all messages of a room up to a time, for good."""
    question = f"Remove all messages up to {printable(until)} from the room {printable(room)} for good?"
    session.confirm(question, sure=yes)
    done = _in_pieces(session, "removed", address("rooms", room, "clear"), {"until": until})
    session.show(done, lambda _: print_line(f"{_count(done['changed'])} of {room} removed."))


@messages.command("search")
@click.option("--room", metavar="R", multiple=True, help="Only in this room; repeatable.")
@click.option("--user", metavar="U", multiple=True, help="Address of an author; repeatable.")
@click.option("--limit", type=Count(1, 10_000), help="Messages that are shown at most, the newest.")
@_filters
@click.pass_obj
def search(session: Session, /, limit: int | None, **given: Any) -> None:
    """Find messages in all rooms, or in those named; also in disabled ones.

    Who searches reads what others wrote: every search is in the audit log, and what it shows is on record as
    read.
    """
    query = _body(given)
    if query.pop("case", False):
        query["case"] = "true"
    if limit is not None:
        query["limit"] = str(limit)
    found = session.ask("GET", address("messages", query=query))
    if found["exceeded"]:
        session.remark("there are more messages than these, the newest; narrow the search, or see --limit")
    session.show(found["messages"], _print_messages)


def _print_messages(found: list[dict[str, Any]]) -> None:
    rows = [
        (one["time"][:19] + "Z", one["room"], one["chat_id"], one["author"], one["text"]) for one in found
    ]
    print_table(("Time", "Room", "Number", "Author", "Text"), rows, "There are no such messages.")


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    body = _body(given)
    if not body.keys() & {"from", "to", "user", "words", "all"}:
        raise click.UsageError("say which messages: words, --user, --from or --to; or --all")
    return body


def _told(body: dict[str, Any]) -> str:
    """Tell a person which messages he is about to lose."""
    if "all" in body:
        return "all messages"
    parts = [f"by {body['user']}"] if "user" in body else []
    parts += [f"{name} {body[name]}" for name in ("from", "to") if name in body]
    if "words" in body:
        parts.append(f"with {body.get('match', 'all')} of {body['words']!r}")
    return printable(f"the messages {', '.join(parts)}")


def _count(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def _in_pieces(session: Session, done: str, path: str, body: dict[str, Any]) -> dict[str, int]:
    """Ask for piece after piece.

    Args:
        session: The run.
        done: What is done, for whoever interrupts it: ``removed``.
        path: The operation.
        body: Its body, without the cursor.

    Returns:
        How many messages were ``changed``, and how many chat ids ``examined``.
    """
    total = {"changed": 0, "examined": 0}
    try:
        with (
            session.asking() as ask,
            progress_bar("Looking at messages", MofNCompleteColumn(), quiet=session.as_json) as show,
        ):
            cursor: dict[str, int] = {}
            while True:
                piece = ask("POST", path, body | cursor)
                total = {name: total[name] + piece[name] for name in total}
                if piece["next"] is None:
                    return total
                cursor = {"after": piece["next"], "upto": piece["upto"]}
                show(total["examined"], total["examined"] + piece["left"])
    except BaseException:
        if total["examined"]:
            session.remark(f"given up: {_count(total['changed'])} {done} before, the others are as they were")
        raise
