"""What a store holds, compared with what its clients were promised."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from attrs import frozen

from tests.integration.durable_client import Ledger


@frozen
class Said:
    """A row of ``messages``."""

    chat_id: int
    ts: int
    author: str
    text: str


@frozen
class Happened:
    """A row of ``outbox``."""

    sequence: int
    kind: str
    time: int
    user: str
    chat_id: int
    text: str | None
    reason: str | None


@frozen
class Record:
    """All that a store tells about its only room with messages.

    Args:
        messages: By chat id.
        events: By number.
        last_chat_id: As the room has it.
        last_sequence: As the server has it.
        present: Users in ``participants``.
        intact: What SQLite itself says of the file.
    """

    messages: list[Said]
    events: list[Happened]
    last_chat_id: int
    last_sequence: int
    present: list[str]
    intact: str

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a store; a server may have it open."""
        with closing(sqlite3.connect(path)) as db:
            db.execute("begin")
            messages = db.execute(
                "select chat_id, ts, uri, chat from messages join principals on principal_id = author_id "
                "order by room_id, chat_id"
            )
            events = db.execute(
                "select server_sequence, kind, time_ticks, user_uri, chat_id, text, detail from outbox "
                "order by server_sequence"
            )
            present = db.execute(
                "select uri from participants join principals using (principal_id) order by 1"
            )
            return cls(
                [Said(*row) for row in messages],
                [_happened(*row) for row in events],
                db.execute("select max(last_chat_id) from rooms").fetchone()[0],
                db.execute("select last_sequence from servers").fetchone()[0],
                [uri for (uri,) in present],
                db.execute("pragma integrity_check").fetchone()[0],
            )


def _happened(
    sequence: int, kind: str, time: int, user: str, chat_id: int, text: str | None, detail: str
) -> Happened:
    return Happened(sequence, kind, time, user, chat_id, text, json.loads(detail).get("reason"))


def problems(record: Record, ledger: Ledger, kills: Sequence[int] = ()) -> list[str]:
    """Tell every promise that a store does not keep, and whatever else it holds and should not.

    Args:
        record: The store.
        ledger: What its clients were told.
        kills: Moments in ticks, rising, by which the server had been killed.
    """
    return [
        *_of_promises(record, ledger),
        *_of_messages(record),
        *_of_deliveries(record, ledger),
        *_of_events(record),
        *_of_participants(record, kills),
    ]


def _of_promises(record: Record, ledger: Ledger) -> Iterator[str]:
    times = Counter(said.text for said in record.messages)
    authors = {said.text: said.author for said in record.messages}
    for text in ledger.promised:
        if times[text] != 1:
            yield f"answered 200 and kept {times[text]} times: {text:.60}"
    for text, status in ledger.refused.items():
        if times[text]:
            yield f"answered {status} and kept all the same: {text:.60}"
    for text, count in times.items():
        if count > 1:
            yield f"kept {count} times: {text:.60}"
        if ledger.sent.get(text) != authors[text]:
            yield f"not said by {authors[text]}: {text:.60}"


def _of_messages(record: Record) -> Iterator[str]:
    ids = [said.chat_id for said in record.messages]
    if ids != list(range(1, record.last_chat_id + 1)):
        yield f"{len(ids)} chat ids with gaps where the room counts {record.last_chat_id}"
    times = [said.ts for said in record.messages]
    if times != sorted(times):
        yield "times of messages go back"
    if record.intact != "ok":
        yield f"the file is damaged: {record.intact}"


def _of_deliveries(record: Record, ledger: Ledger) -> Iterator[str]:
    """What anybody was shown is kept, and so are its number and its neighbours."""
    texts = {said.chat_id: said.text for said in record.messages}
    for chat_id, text in ledger.seen.items():
        if texts.get(chat_id) != text:
            yield f"delivered as {chat_id} and not kept so: {text:.60}"
    for page in ledger.pages:
        ids = [chat_id for chat_id, _ in page]
        if ids and ids != list(range(ids[0], ids[-1] + 1)):
            yield f"a page of history from {ids[0]} to {ids[-1]} has gaps"
        for chat_id, text in page:
            if texts.get(chat_id) != text:
                yield f"read in history as {chat_id} and not kept so: {text:.60}"


def _of_events(record: Record) -> Iterator[str]:
    numbers = [event.sequence for event in record.events]
    if numbers != list(range(1, record.last_sequence + 1)):
        yield f"{len(numbers)} events with gaps where the server counts {record.last_sequence}"
    told = [
        (event.chat_id, event.time, event.user, event.text) for event in record.events if event.kind == "post"
    ]
    kept = [(said.chat_id, said.ts, said.author, said.text) for said in record.messages]
    if sorted(told) != kept:  # chat ids are unique, so that order is theirs
        yield f"{len(told)} events of posts do not tell the {len(kept)} messages"


def _of_participants(record: Record, kills: Sequence[int]) -> Iterator[str]:
    """Everybody comes and goes in turn; who was there when the server died went before that moment."""
    joins: dict[str, list[Happened]] = defaultdict(list)
    for event in record.events:
        inside = joins[event.user]
        if event.kind == "join":
            if inside:
                yield f"{event.user} joined twice: {event}"
            inside.append(event)
        elif event.kind == "part":
            if not inside:
                yield f"{event.user} left without having joined: {event}"
                continue
            joined = inside.pop()
            died = next((moment for moment in kills if moment >= joined.time), None)
            if event.time < joined.time:
                yield f"{event.user} left before he joined: {event}"
            if event.reason == "crashed" and (died is None or event.time > died):
                yield f"{event.user} left after the server died at {died}: {event}"
            if event.reason != "crashed" and died is not None and event.time > died:
                yield f"{event.user} was in the room when the server died, and left later: {event}"
    still = sorted(user for user, inside in joins.items() if inside)
    if still != record.present:
        yield f"by events {still} are in the room, by participants {record.present}"
