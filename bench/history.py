"""How fast a long history is read and searched while people post, in a process with the server's threads.

Run it as ``python -m bench.history [--messages N] [--rooms N] [--folder DIR] [--searches N] [--posts N]``.
"""

from __future__ import annotations

import argparse
import itertools
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater, react

from bench.history_store import AUTHORS, languages, make_store, room_weights, ticket
from pchat.interfaces import ITransaction
from pchat.store.messages import NewMessage, last_messages, messages_between
from pchat.store.search import HistoryQuery, find_messages
from pchat.store.sqlite import SqliteStore
from pchat.ticks import TICKS_PER_DAY
from pchat.words import parse_query

PAGE = 25
#: Times a second that the poster posts what is due.
BEATS = 100

Ask = Callable[[], tuple[Any, ...]]
"""Makes the arguments of `IStore.read` for one more search of a kind."""


async def room_ends(txn: ITransaction) -> list[tuple[int, int, int]]:
    rows = await txn.query("select room_id, last_chat_id, last_ts from rooms order by room_id")
    return [(row[0], row[1], row[2]) for row in rows]


class Poster:
    """Posts at a steady pace, whether or not earlier posts are kept yet.

    Args:
        store: Where to.
        pace: Posts a second.
        rooms: How many rooms there are.
    """

    def __init__(self, store: SqliteStore, pace: int, rooms: int) -> None:
        self._store = store
        self._chance = random.Random(3)
        self._weights, self._numbers = room_weights(rooms), range(1, rooms + 1)
        self._spoken, self._shares = languages()
        self._due = itertools.accumulate(itertools.repeat(pace / BEATS))
        self._call = LoopingCall.withCount(self._beat)
        self._waits: list[float] = []
        self._sent = 0

    def start(self) -> None:
        self._call.start(1 / BEATS)

    def stop(self) -> None:
        if self._call.running:
            self._call.stop()

    def waits(self) -> list[float]:
        """Tell how long each post since the last call of this waited, in order of length."""
        waits, self._waits = sorted(self._waits), []
        return waits

    def _beat(self, beats: int) -> None:
        for _ in range(beats):
            until = int(next(self._due))
            while self._sent < until:
                self._sent += 1
                self._post()

    def _post(self) -> None:
        [room] = self._chance.choices(self._numbers, cum_weights=self._weights)
        [language] = self._chance.choices(self._spoken, cum_weights=self._shares)
        message = NewMessage(
            message_id=secrets.token_hex(16),
            room_id=room,
            room_uri=f"ma-chan://example.com/room-{room}",
            room_name=f"Room {room}",
            author_id=self._chance.randint(1, AUTHORS),
            author_uri="sip:alice@example.com",
            author_name="Alice",
            chat=language.text(self._chance, 12),
            rtf=None,
            alert=False,
            logged=True,
            revision=0,
        )
        since = time.perf_counter()
        kept = self._store.append([message])
        kept.addCallback(lambda _: self._waits.append(time.perf_counter() - since))


class Questions:
    """What is asked, of rooms that are all visible to who asks."""

    def __init__(self, ends: Sequence[tuple[int, int, int]]) -> None:
        self._chance = random.Random(4)
        self._last_ids = {room: last for room, last, _ in ends}
        self._rooms = tuple(self._last_ids)
        self._weights = room_weights(len(ends))
        self._now = max(ts for *_, ts in ends)
        self._spoken = languages()[0]

    def kinds(self) -> dict[str, Ask]:
        """Name the kinds of questions."""
        return {
            "last 25": lambda: (last_messages, self._room(), PAGE),
            "25 by id": self._page,
            "25 before an id": lambda: self._search(
                rooms=(room := self._room(),), last_id=self._id(room), limit=25
            ),
            "newest of all rooms": self._search,
            "rare: a ticket": lambda: self._words(ticket(self._chance.randrange(1_000_000))),
            "rare: a seldom word": lambda: self._words(self._word(20_000, 60_000)),
            "usual word": lambda: self._words(self._word(500, 5_000)),
            "common word": lambda: self._words(self._word(0, 20)),
            "common, oldest first": lambda: self._words(self._word(0, 20), newest_first=False),
            "common and rare": lambda: self._words(f"{self._word(0, 20)} {self._word(5_000, 20_000)}"),
            "common and common": lambda: self._words(f"{self._word(0, 20)} {self._word(0, 20)}"),
            "phrase of two": lambda: self._words(f"{self._word(0, 100)} {self._word(0, 1000)}", mode="exact"),
            "Chinese": lambda: self._words(self._word(0, 2000, 1)),
            "Chinese, one character": lambda: self._words(self._word(0, 2000, 1)[0]),
            "Thai": lambda: self._words(self._word(0, 2000, 3)),
            "author": lambda: self._search(authors=frozenset([self._chance.randint(1, AUTHORS)])),
            "author and common": lambda: self._words(
                self._word(0, 20), authors=frozenset([self._chance.randint(1, AUTHORS)])
            ),
            "a week": self._week,
            "common in a week": lambda: self._week(words=parse_query(self._word(0, 20), "all")),
            "common in one room": lambda: self._words(self._word(0, 20), rooms=(self._room(),)),
            "common, case": lambda: self._words(self._word(0, 20), match_case=True),
        }

    def _room(self) -> int:
        return self._chance.choices(self._rooms, cum_weights=self._weights)[0]

    def _id(self, room: int) -> int:
        return self._chance.randint(1, self._last_ids[room] or 1)

    def _page(self) -> tuple[Any, ...]:
        room = self._room()
        first = self._id(room)
        return messages_between, room, first, first + PAGE - 1

    def _word(self, first: int, last: int, language: int = 0) -> str:
        return self._spoken[language].words[self._chance.randrange(first, last)]

    def _words(
        self, text: str, *, mode: Any = "all", match_case: bool = False, **more: Any
    ) -> tuple[Any, ...]:
        return self._search(words=parse_query(text, mode, match_case=match_case), **more)

    def _week(self, **more: Any) -> tuple[Any, ...]:
        start = self._now - self._chance.randint(7, 900) * TICKS_PER_DAY
        return self._search(first_ts=start, last_ts=start + 7 * TICKS_PER_DAY, **more)

    def _search(self, **wanted: Any) -> tuple[Any, ...]:
        return find_messages, HistoryQuery(**{"rooms": self._rooms, **wanted})


def milliseconds(waits: Sequence[float], share: float) -> float:
    return 1000 * waits[min(len(waits) - 1, int(len(waits) * share))] if waits else float("nan")


def told(found: Any) -> int:
    """Count what an answer holds."""
    return len(found) if isinstance(found, list) else sum(len(room.messages) for room in found.values())


async def measure(store: SqliteStore, poster: Poster, name: str, ask: Ask, searches: int) -> None:
    waits, hits = [], 0
    poster.waits()
    began = time.perf_counter()
    for _ in range(searches):
        wanted = ask()
        since = time.perf_counter()
        hits += told(await store.read(*wanted))
        waits.append(time.perf_counter() - since)
    seconds = time.perf_counter() - began
    posts = poster.waits()
    waits.sort()
    print(
        f"{name:24s} {milliseconds(waits, 0.5):8.2f} {milliseconds(waits, 0.99):8.2f} {hits / searches:8.1f}"
        f" {len(posts) / seconds:8.0f} {milliseconds(posts, 0.5):8.2f} {milliseconds(posts, 0.99):8.2f}",
        flush=True,
    )


async def compare(reactor: Any, options: argparse.Namespace, path: Path) -> None:
    store = SqliteStore(
        path,
        clock=reactor,
        server_name="bench",
        random=secrets.token_bytes,
        threads=reactor,
        record_events=False,
    )
    await store.start()
    kinds = Questions(await store.read(room_ends)).kinds()
    poster = Poster(store, options.posts, options.rooms)
    if options.posts:
        poster.start()
        await deferLater(reactor, 1.0)
    print(
        f"{'':24s} {'p50 ms':>8s} {'p99 ms':>8s} {'hits':>8s} {'posts/s':>8s} {'p50 ms':>8s} {'p99 ms':>8s}"
    )
    if options.posts:
        poster.waits()
        await deferLater(reactor, 10.0)
        posts = poster.waits()
        print(
            f"{'(posts alone)':24s} {'':8s} {'':8s} {'':8s} {len(posts) / 10:8.0f}"
            f" {milliseconds(posts, 0.5):8.2f} {milliseconds(posts, 0.99):8.2f}"
        )
    for name, ask in kinds.items():
        if not options.only or any(part in name for part in options.only):
            few = find_messages in ask()
            await measure(store, poster, name, ask, options.searches if few else 10 * options.searches)
    poster.stop()
    await store.stop()


async def main(reactor: Any, options: argparse.Namespace) -> None:
    folder = Path(options.folder or tempfile.gettempdir())
    path = folder / f"history-{options.messages}-{options.rooms}.db"
    make_store(path, options.messages, options.rooms)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
    await compare(reactor, options, path)


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--rooms", type=int, default=1000)
    parser.add_argument("--searches", type=int, default=100, help="of each kind; ten times as many pages")
    parser.add_argument("--posts", type=int, default=100, help="posts a second meanwhile")
    parser.add_argument("--only", action="append", help="only kinds whose name has this in it")
    parser.add_argument("--folder", help="where the store is made, and found the next time")
    return parser.parse_args(words)


def run() -> None:
    options = parse(sys.argv[1:])
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, options)))


if __name__ == "__main__":
    run()
