"""The program that arrives: many users who sign in, or enter many rooms at once, at a steady rate.

Run as ``python -m bench.load.arrivals``; `bench.joins` does. The rate is kept whether the server keeps up or
not: what it cannot take piles up, and shows in the times.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from bench.load import meter
from bench.load.joiner import Joiner
from bench.load.loop import Loop
from bench.load.participant import LoadFailed, Participant

LATE_SECONDS = 0.05
"""Longer after its time an arrival is late: then the program, not the server, may be what was measured."""


@frozen
class Order:
    """What to do.

    Args:
        address: ``host:port`` of the SIP listener.
        authority: PEM file of the authority to trust; None without TLS.
        server_pid: Process whose time is measured.
        users: Sign-in names.
        password: Of all of them, for NTLM; None: scheme ``none``.
        pool: URI of the chat service.
        rooms: For each user the rooms that he enters; empty: users only sign in.
        rate: Arrivals a second.
        cpu: CPU to stay on, or None.
    """

    address: str
    authority: str | None
    server_pid: int
    users: list[str]
    password: str | None
    pool: str
    rooms: list[list[str]]
    rate: float
    cpu: int | None


@frozen
class Result:
    """What came out; times in seconds."""

    arrivals: int
    seconds: float
    late: int
    server_cpu: float
    load_cpu: float
    latency_p50: float
    latency_p99: float
    latency_max: float
    notices: int
    reply_bytes: float


class _Nobody:
    """Posts are not what this is about."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def delivered(self, number: int) -> None:
        """Nobody posts."""

    def accepted(self) -> None:
        """Nobody posts."""

    def blocked(self, participant: Participant) -> None:
        """Tell the loop."""
        self._loop.blocked(participant)


class Run:
    """One run.

    Args:
        order: What to do.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._loop = Loop(order.address, Path(order.authority) if order.authority else None)
        self._nobody = _Nobody(self._loop)
        self._late = 0

    def _connect(self, user: str) -> Joiner:
        joiner = Joiner(user, self._order.password, self._loop.connect(), self._nobody)
        self._loop.add(joiner)
        return joiner

    def _paced(self, count: int, begin: Callable[[int], Joiner]) -> Iterator[Joiner]:
        """Begin one after the other, each at its time, and do what comes meanwhile."""
        started = time.perf_counter()
        for number in range(count):
            due = started + number / self._order.rate
            while (left := due - time.perf_counter()) > 0:
                self._loop.turn(left)
            self._late += -left > LATE_SECONDS
            yield begin(number)
            self._loop.turn(0)

    def sign_ins(self) -> Result:
        """Let everybody connect and sign in, each at his time."""
        began: dict[Joiner, float] = {}
        ended: dict[Joiner, float] = {}

        def timed(joiner: Joiner) -> Any:
            yield from joiner.sign_in()
            ended[joiner] = time.perf_counter()

        def begin(number: int) -> Joiner:
            moment = time.perf_counter()
            joiner = self._connect(self._order.users[number])
            began[joiner] = moment
            joiner.start(timed(joiner))
            return joiner

        return self._measured(
            lambda: list(self._paced(len(self._order.users), begin)),
            lambda made: [ended[joiner] - began[joiner] for joiner in made],
        )

    def joins(self) -> Result:
        """Sign everybody in; then let each enter all his rooms at his time."""
        joiners = []
        for user in self._order.users:
            joiner = self._connect(user)
            joiner.start(joiner.sign_in())
            self._loop.finish([joiner])
            joiner.start(joiner.open(self._order.pool))
            self._loop.finish([joiner])
            joiners.append(joiner)

        def begin(number: int) -> Joiner:
            joiners[number].start(joiners[number].bulk_join(self._order.rooms[number]))
            return joiners[number]

        return self._measured(
            lambda: list(self._paced(len(joiners), begin)),
            lambda made: [joiner.ended - joiner.began for joiner in made],
        )

    def _measured(
        self, arrive: Callable[[], list[Joiner]], took: Callable[[list[Joiner]], list[float]]
    ) -> Result:
        pid = self._order.server_pid
        before = (time.perf_counter(), meter.cpu_seconds(pid), time.process_time())
        made = arrive()
        self._loop.finish(made)
        seconds = time.perf_counter() - before[0]
        server_cpu, load_cpu = meter.cpu_seconds(pid) - before[1], time.process_time() - before[2]
        # What is still on its way to the others belongs to the work, but not to anybody's waiting.
        while self._loop.turn(0.5):
            pass
        latencies = sorted(took(made))
        return Result(
            arrivals=len(made),
            seconds=seconds,
            late=self._late,
            server_cpu=max(server_cpu, meter.cpu_seconds(pid) - before[1]),
            load_cpu=load_cpu,
            latency_p50=meter.percentile(latencies, 0.50),
            latency_p99=meter.percentile(latencies, 0.99),
            latency_max=latencies[-1],
            notices=sum(joiner.notices for joiner in made),
            reply_bytes=sum(joiner.reply_bytes for joiner in made) / len(made),
        )

    def result(self) -> Result:
        """Do what was ordered."""
        try:
            return self.joins() if self._order.rooms else self.sign_ins()
        finally:
            self._loop.close()


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
