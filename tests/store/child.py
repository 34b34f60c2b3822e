"""A process that appends until it is killed, and tells which posts were acknowledged.

Run as ``python -m tests.store.child append PATH`` or ``… hold PATH`` or ``… full PATH``.
"""

from __future__ import annotations

import os
import resource
import secrets
import sys
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pchat.store.messages import Appended
from pchat.store.sqlite import SqliteStore
from pchat.testing.threads import ThreadPump
from tests.store.support import new_message

IN_FLIGHT = 16


def tell(*words: object) -> None:
    """Write a line in one system call: it is whole, or not there, when we are killed."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def opened(path: str) -> tuple[SqliteStore, ThreadPump]:
    clock, pump = Clock(), ThreadPump()
    clock.advance(1e9)
    store = SqliteStore(path, clock=clock, server_name="test", random=secrets.token_bytes, threads=pump)
    pump.result_of(store.start())
    return store, pump


def append(path: str) -> None:
    """Keep posts in flight for ever."""
    store, pump = opened(path)

    def send(_: object = None) -> None:
        message_id = secrets.token_hex(16)
        message = new_message(1 + secrets.randbelow(2), message_id=message_id)

        def kept(outcomes: list[Any]) -> None:
            tell(message_id, message.room_id, outcomes[0].chat_id)

        store.append([message]).addCallback(kept).addCallback(send)

    for _ in range(IN_FLIGHT):
        send()
    while True:
        pump.run_one()


def hold(path: str) -> None:
    """Keep the store open until standard input ends."""
    opened(path)
    tell("open")
    sys.stdin.read()


def full(path: str) -> None:
    """Append while the system allows no file to grow, then allow it again."""
    store, pump = opened(path)

    def outcome_of(count: int) -> list[str]:
        messages = [new_message(message_id=secrets.token_hex(16), chat="x" * 900) for _ in range(count)]
        answers: list[Any] = []
        for message in messages:
            store.append([message]).addBoth(answers.append)
        while len(answers) < count:
            pump.run_one()
        for message, answer in zip(messages, answers, strict=True):
            if not isinstance(answer, Failure) and isinstance(answer[0], Appended):
                tell(message.message_id, 1, answer[0].chat_id)
        return ["refused" if isinstance(answer, Failure) else "kept" for answer in answers]

    outcome_of(20)
    largest = os.path.getsize(path + "-wal") + 30_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    doubtful: list[Any] = []
    lost = new_message(message_id=secrets.token_hex(16), chat="x" * 60_000)
    store.append([lost]).addBoth(doubtful.append)
    # The writer cannot settle while nothing can be written; what comes now is refused meanwhile.
    refused: list[Any] = []
    store.append([new_message(message_id=secrets.token_hex(16))]).addBoth(refused.append)
    while not refused:
        pump.run_one()
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    while not doubtful:
        pump.run_one()
    tell("doubtful", "refused" if isinstance(doubtful[0], Failure) else "kept")
    tell("after", *sorted(set(outcome_of(5))))
    pump.result_of(store.stop())


if __name__ == "__main__":
    {"append": append, "hold": hold, "full": full}[sys.argv[1]](sys.argv[2])
