"""How many posts a second the embedded store keeps, each answered after its own commit.

Run it as ``python -m bench.append [--messages N] [--in-flight N] [--rtf BYTES] [--folder DIR]``.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from pchat.interfaces import ITransaction
from pchat.store.messages import NewMessage
from pchat.store.sqlite import SqliteStore

TEXT = "A line of ordinary length, as people write them in a room about their work."


async def make_room(txn: ITransaction) -> None:
    await txn.run(
        "insert into categories (category_id, guid, name, name_folded, created_by, created_on, updated_by, "
        "updated_on) values (1, 'c', 'C', 'c', 'bench', 0, 'bench', 0)"
    )
    await txn.run(
        "insert into rooms (room_id, guid, category_id, name, name_folded, created_by, created_on, "
        "updated_by, updated_on) values (1, 'r', 1, 'R', 'r', 'bench', 0, 'bench', 0)"
    )


class Load:
    """Keeps a number of posts in flight until all are kept."""

    def __init__(self, store: SqliteStore, messages: int, in_flight: int, rtf: str | None) -> None:
        self.store = store
        self.rtf = rtf
        self.left = messages
        self.open = 0
        self.in_flight = in_flight
        self.waits: list[float] = []
        self.finished: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        for _ in range(self.in_flight):
            self.send()
        return self.finished

    def send(self) -> None:
        if not self.left:
            if not self.open:
                self.finished.callback(None)
            return
        self.left -= 1
        self.open += 1
        message = NewMessage(
            message_id=secrets.token_hex(16),
            room_id=1,
            room_uri="ma-chan://example.com/9a1f3c52-8f7b-4b43-9a06-0f4a9a4f6a10",
            room_name="Lobby",
            author_id=1,
            author_uri="sip:alice@example.com",
            author_name="Alice",
            chat=TEXT,
            rtf=self.rtf,
            alert=False,
            logged=True,
            revision=0,
        )
        self.store.append([message]).addCallbacks(self.kept, self.failed, callbackArgs=(time.perf_counter(),))

    def kept(self, _: Any, since: float) -> None:
        self.waits.append(time.perf_counter() - since)
        self.open -= 1
        self.send()

    def failed(self, failure: Any) -> None:
        if not self.finished.called:
            self.finished.errback(failure)


class Busy:
    """Stands for a fan-out that keeps the reactor busy: small writes and Python between them."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.turns = 0
        self.sink = os.open(os.devnull, os.O_WRONLY)
        self.running = True
        self.turn()

    def turn(self) -> None:
        for _ in range(40):
            for _ in range(1000):
                pass
            os.write(self.sink, b"x")
        self.turns += 1
        if self.running:
            self.reactor.callLater(0, self.turn)


async def measure(reactor: Any, options: argparse.Namespace, in_flight: int, busy: bool) -> None:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = os.path.join(folder, "chat.db")
        store = SqliteStore(
            path,
            clock=reactor,
            server_name="bench",
            random=secrets.token_bytes,
            threads=reactor,
        )
        await store.start()
        await store.write(make_room)
        messages = options.messages if in_flight > 1 else options.messages // 10
        load = Load(store, messages, in_flight, "x" * options.rtf or None)
        other = Busy(reactor) if busy else None
        before, cpu = time.perf_counter(), time.process_time()
        await load.start()
        seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
        if other is not None:
            other.running = False
        waits = sorted(load.waits)
        commits = store.describe()["commits"] - 1
        print(
            f"{in_flight:4d} in flight{', reactor busy' if busy else '':14s}: "
            f"{len(waits) / seconds:8.0f} posts/s, "
            f"{len(waits) / commits:6.1f} posts a commit, p50 {1000 * waits[len(waits) // 2]:6.2f} ms, "
            f"p99 {1000 * waits[len(waits) * 99 // 100]:6.2f} ms, {1e6 * cpu / len(waits):5.1f} us CPU a post"
            + (f", {other.turns / seconds:.0f} turns/s" if other else "")
        )
        await store.stop()
        print(f"{' ':15s}{os.path.getsize(path) / len(waits):8.0f} bytes of the store a post")


async def main(reactor: Any, options: argparse.Namespace) -> None:
    for in_flight in options.in_flight:
        await measure(reactor, options, in_flight, False)
    for interval in options.switch_interval:
        sys.setswitchinterval(interval)
        print(f"switch interval {1000 * interval:g} ms")
        await measure(reactor, options, 64, True)


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rtf", type=int, default=0, help="bytes of formatted text with each post")
    parser.add_argument("--in-flight", type=int, action="append")
    parser.add_argument("--switch-interval", type=float, action="append", default=[])
    parser.add_argument("--folder", help="where the store is made; it should be on the disk that counts")
    options = parser.parse_args(words)
    options.in_flight = options.in_flight or [1, 10, 64, 256]
    return options


def run() -> None:
    options = parse(sys.argv[1:])
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, options)))


if __name__ == "__main__":
    run()
