"""The program of the load generator: an `Order` on standard input, a `Result` on standard output.

Run as ``python -m bench.load.generator``; `bench.fanout` does.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from pathlib import Path

import attrs
from attrs import frozen

from bench.load import meter
from bench.load.loop import Loop
from bench.load.participant import LoadFailed, Participant

AT_ONCE = 16
"""Participants that join at the same time."""


@frozen
class Order:
    """What to do.

    Args:
        address: ``host:port`` of the SIP listener.
        authority: PEM file of the authority to trust.
        server_pid: Process whose time and memory are measured.
        users: Sign-in names, one connection each.
        password: Of all of them, for NTLM; None: scheme ``none``.
        pool: URI of the chat service.
        room: URI of the room.
        warm_up: Seconds before the measurement.
        seconds: Length of the measurement.
        outstanding: Posts on their way at any time.
        text_bytes: Length of a post's text.
        cpu: CPU to stay on, or None.
    """

    address: str
    authority: str
    server_pid: int
    users: list[str]
    password: str | None
    pool: str
    room: str
    warm_up: float
    seconds: float
    outstanding: int
    text_bytes: int
    cpu: int | None


@frozen
class Result:
    """What came out; times in seconds, memory in bytes."""

    clients: int
    signed: bool
    seconds: float
    posts: int
    deliveries: int
    reads: int
    server_cpu: float
    load_cpu: float
    latency_p50: float
    latency_p99: float
    sign_in_seconds: float
    join_seconds: float
    memory_idle: float
    memory_joined: float


class ClosedLoop:
    """Keeps a number of posts on their way: when the last copy of one arrived, the next one is sent.

    The participants post in turn.
    """

    def __init__(self, loop: Loop, order: Order) -> None:
        self._loop = loop
        self._filling = b"x" * (order.text_bytes - 11)
        self._participants: list[Participant] = []
        self._missing: dict[int, int] = {}
        self._sent: dict[int, float] = {}
        self._posted = 0
        self._answered = 0
        self._due = 0
        self.deliveries = 0
        self.latencies: list[float] = []

    def begin(self, participants: list[Participant], outstanding: int) -> None:
        """Send the first posts."""
        self._participants = participants
        self._due = outstanding
        self._loop.after_turn = self._post_due
        self._post_due()

    def end(self) -> None:
        """Send no more; run until the last copies and answers are here."""
        self._loop.after_turn = lambda: None
        self._loop.run_until(lambda: not self._missing and self._answered == self._posted)

    def _post_due(self) -> None:
        """Send posts; never from inside `Participant.take`, whose answers count before them."""
        while self._due:
            self._due -= 1
            self._post()

    def _post(self) -> None:
        number, self._posted = self._posted, self._posted + 1
        self._missing[number] = len(self._participants)
        self._sent[number] = time.perf_counter()
        self._participants[number % len(self._participants)].post(number, self._filling)

    def delivered(self, number: int) -> None:
        """Count a copy; after the last one of a post the next post is due."""
        self.deliveries += 1
        left = self._missing[number] - 1
        if left:
            self._missing[number] = left
            return
        del self._missing[number]
        self.latencies.append(time.perf_counter() - self._sent.pop(number))
        self._due += 1

    def accepted(self) -> None:
        """Count the answer to a post."""
        self._answered += 1

    def blocked(self, participant: Participant) -> None:
        """Tell the loop."""
        self._loop.blocked(participant)


class Run:
    """One run of the benchmark.

    Args:
        order: What to do.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._loop = Loop(order.address, Path(order.authority))
        self._posts = ClosedLoop(self._loop, order)

    def _sign_in(self, users: list[str]) -> list[Participant]:
        made = []
        for user in users:
            participant = Participant(user, self._order.password, self._loop.connect(), self._posts)
            made.append(participant)
            self._loop.add(participant)
            participant.start(participant.sign_in())
            self._loop.turn(0)
        self._loop.finish(made)
        return made

    def _join(self, participants: list[Participant]) -> None:
        for first in range(0, len(participants), AT_ONCE):
            group = participants[first : first + AT_ONCE]
            for participant in group:
                participant.start(participant.join(self._order.pool, self._order.room))
            self._loop.finish(group)

    def result(self) -> Result:
        """Sign in, join, measure."""
        order, posts = self._order, self._posts
        # what the server loads for its first client is not part of a connection's memory
        first = self._sign_in(order.users[:1])
        self._join(first)
        count = len(order.users) - 1
        empty, started = meter.resident_bytes(order.server_pid), time.perf_counter()
        others = self._sign_in(order.users[1:])
        idle, signed_in_at = meter.resident_bytes(order.server_pid), time.perf_counter()
        self._join(others)
        joined, joined_at = meter.resident_bytes(order.server_pid), time.perf_counter()

        posts.begin(first + others, order.outstanding)
        window = self._measure()
        latencies = sorted(posts.latencies)
        posts.end()
        self._loop.close()
        return Result(
            clients=len(order.users),
            signed=order.password is not None,
            posts=len(latencies),
            latency_p50=meter.percentile(latencies, 0.50),
            latency_p99=meter.percentile(latencies, 0.99),
            sign_in_seconds=signed_in_at - started,
            join_seconds=joined_at - signed_in_at,
            memory_idle=(idle - empty) / count,
            memory_joined=(joined - empty) / count,
            **attrs.asdict(window),
        )

    def _measure(self) -> Reading:
        """Warm up, then return what happened in the time of the measurement."""
        order, loop = self._order, self._loop
        warm = time.perf_counter() + order.warm_up
        loop.run_until(lambda: time.perf_counter() >= warm)
        self._posts.latencies.clear()
        before = Reading.take(loop, self._posts, order.server_pid)
        loop.run_until(lambda: time.perf_counter() >= before.seconds + order.seconds)
        return Reading.take(loop, self._posts, order.server_pid).since(before)


@frozen
class Reading:
    """Clocks and counters at one moment, or what they grew by."""

    seconds: float
    deliveries: int
    reads: int
    server_cpu: float
    load_cpu: float

    @classmethod
    def take(cls, loop: Loop, posts: ClosedLoop, server_pid: int) -> Reading:
        """Read them all."""
        server_cpu = meter.cpu_seconds(server_pid)
        return cls(time.perf_counter(), posts.deliveries, loop.reads, server_cpu, time.process_time())

    def since(self, before: Reading) -> Reading:
        """Return what they grew by."""
        pairs = zip(attrs.astuple(self), attrs.astuple(before), strict=True)
        return Reading(*(late - early for late, early in pairs))


def main() -> None:
    """Do one order."""
    order = Order(**json.load(sys.stdin))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if order.cpu is not None:
        os.sched_setaffinity(0, {order.cpu})
    gc.disable()
    try:
        json.dump(attrs.asdict(Run(order).result()), sys.stdout)
    except LoadFailed as error:
        sys.exit(f"load generator: {error}")


if __name__ == "__main__":
    main()
