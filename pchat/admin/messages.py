"""``pchatctl message`` and ``pchatctl room clear``: what was said, found and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.progress import MofNCompleteColumn

from pchat.admin.names import ROOM
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
        click.argument("room", shell_complete=ROOM),
        click.option("--user", metavar="U", help="Address of the author."),
        click.option("--all", "all_", is_flag=True, help="All messages of the room are meant."),
        click.option("--dry-run", is_flag=True, help="Only count the messages that are meant."),
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
def remove(session: Session, /, room: str, dry_run: bool, yes: bool, **given: Any) -> None:
    """Remove messages of a room for good: all that pass every filter."""
    body = _chosen(given)
    if dry_run:
        _print_number(session, room, body)
        return
    body |= _confirmed(session, "Remove", room, body, sure=yes)
    done = _in_pieces(session, "removed", address("rooms", room, "messages", "remove"), body)
    session.show(done, lambda _: print_line(f"{_count(done['changed'])} of {room} removed."))


@messages.command("replace")
@_removal
@click.option("--text", metavar="T", help=f"The new text; by default: {REPLACEMENT}")
@click.pass_obj
def replace(session: Session, /, room: str, dry_run: bool, yes: bool, text: str | None, **given: Any) -> None:
    """Put a text in the place of messages; who wrote them and when stays."""
    body = _chosen(given)
    if dry_run:
        _print_number(session, room, body)
        return
    body |= _confirmed(session, "Replace", room, body, sure=yes)
    if text is not None:
        body["text"] = text
    done = _in_pieces(session, "replaced", address("rooms", room, "messages", "replace"), body)
    session.show(done, lambda _: print_line(f"{_count(done['changed'])} of {room} replaced."))


@click.command("clear", cls=Verb)
@click.argument("room", shell_complete=ROOM)
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
@click.option(
    "--room", metavar="R", shell_complete=ROOM, multiple=True, help="Only in this room; repeatable."
)
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
        return "all there are"
    parts = [f"by {body['user']}"] if "user" in body else []
    parts += [f"{name} {body[name]}" for name in ("from", "to") if name in body]
    if "words" in body:
        parts.append(f"with {body.get('match', 'all')} of {body['words']!r}")
    return printable(", ".join(parts))


def _confirmed(session: Session, verb: str, room: str, body: dict[str, Any], *, sure: bool) -> dict[str, Any]:
    """Ask a person, who is told how much he is about to lose.

    Returns:
        What the request must have beside its body, so that nothing else is lost than was counted.
    """
    if sure or not session.is_terminal():
        return {}
    number, upto = _counted(session, room, body)
    if number:
        question = f"{verb} {_count(number)} of {printable(room)} ({_told(body)}) for good?"
        session.confirm(question, sure=False)
    return {"upto": upto}


def _print_number(session: Session, room: str, body: dict[str, Any]) -> None:
    number, _ = _counted(session, room, body)
    session.show({"messages": number}, lambda _: print_line(f"{_count(number)} of {room} would be changed."))


def _counted(session: Session, room: str, body: dict[str, Any]) -> tuple[int, int]:
    """Tell how many messages are meant, and up to which chat id they were counted."""
    path, number = address("rooms", room, "messages", "count"), 0
    for piece in _pieces(session, "Counting messages", path, body):
        number += piece["messages"]
    return number, piece["upto"]


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
        for piece in _pieces(session, "Looking at messages", path, body):
            total = {name: total[name] + piece[name] for name in total}
    except BaseException:
        if total["examined"]:
            session.remark(f"given up: {_count(total['changed'])} {done} before, the others are as they were")
        raise
    return total


def _pieces(session: Session, what: str, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Ask for piece after piece of long work, and show how far it is."""
    with (
        session.asking() as ask,
        progress_bar(what, MofNCompleteColumn(), quiet=session.as_json) as show,
    ):
        cursor: dict[str, int] = {}
        examined = 0
        while True:
            piece = ask("POST", path, body | cursor)
            yield piece
            if piece["next"] is None:
                return
            cursor = {"after": piece["next"], "upto": piece["upto"]}
            examined += piece["examined"]
            show(examined, examined + piece["left"])
