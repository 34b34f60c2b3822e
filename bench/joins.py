"""What it costs when many people come at once: sign-ins, and entering 16 rooms by one command.

Run as ``python bench/joins.py``; see bench/README.md. The server is a real one on one CPU, the arrivals come
from a process on another, at a steady rate. Three cases: direct sign-ins (TLS and NTLM); ``bjoin`` of 16
rooms that fill from empty to 30 people (plain TCP, as from a proxy that did the TLS); ``join`` of one room
that grows to many.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.load.accounts import make_crowd  # noqa: E402 - found by the line above
from bench.load.arrivals import Order, Result  # noqa: E402
from tests.integration.server_process import ServerProcess  # noqa: E402

ROOMS_EACH = 16
PEOPLE_EACH = 30
CONNECTIONS = 100_000


def measure(options: argparse.Namespace, case: str) -> Result:
    """Start a server, let people arrive, and return what came out."""
    tls = case == "sign-ins"
    server = ServerProcess(cpus={options.server_cpu})
    try:
        server.configure("auth", schemes=["ntlm" if tls else "none"])
        server.configure("sip.limits", connections=CONNECTIONS, connections_per_address=CONNECTIONS)
        if not tls:
            server.configure("sip.listeners", transport="tcp")
        people = round(options.seconds * (options.sign_ins if tls else options.joins))
        rooms = people * ROOMS_EACH // PEOPLE_EACH if case == "bjoin" else 1
        crowd = make_crowd(server.config, people, rooms)
        server.start()
        order = Order(
            address=server.sip,
            authority=str(server.authority) if tls else None,
            server_pid=server.pid,
            users=crowd.users,
            password=crowd.password if tls else None,
            pool=f"sip:GC-1-PersistentChatService-1@{server.domain}",
            rooms=[] if tls else memberships(crowd.rooms, people, options.groups, case),
            rate=options.sign_ins if tls else options.joins,
            cpu=options.load_cpu,
        )
        answer = subprocess.run(
            [sys.executable, "-m", "bench.load.arrivals"],
            cwd=REPOSITORY,
            input=json.dumps(attrs.asdict(order)),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            sys.stderr.write(server.log_tail())
            raise SystemExit(f"{case}: failed")
        return Result(**json.loads(answer.stdout))
    finally:
        server.discard()


def memberships(rooms: list[str], people: int, groups: bool, case: str) -> list[list[str]]:
    """Tell who enters what.

    Args:
        rooms: All rooms.
        people: How many people there are.
        groups: Whether the same people share all their rooms, as a department does; else rooms are drawn.
        case: ``bjoin``, or ``join`` for one room that all enter.
    """
    if case == "join":
        return [rooms[:1] for _ in range(people)]
    if groups:
        return [
            [
                rooms[(person // PEOPLE_EACH * ROOMS_EACH + number) % len(rooms)]
                for number in range(ROOMS_EACH)
            ]
            for person in range(people)
        ]
    drawn = random.Random(1)
    seats = [room for room in rooms for _ in range(PEOPLE_EACH + 1)]
    drawn.shuffle(seats)
    found = []
    for person in range(people):
        mine = dict.fromkeys(seats[person * ROOMS_EACH : (person + 1) * ROOMS_EACH])
        while len(mine) < ROOMS_EACH:
            mine[drawn.choice(rooms)] = None
        found.append(list(mine))
    return found


def figures(case: str, rate: float, result: Result) -> dict[str, Any]:
    """Compute what is printed; the keys are those of ``--json``."""
    return {
        "case": case,
        "arrivals": result.arrivals,
        "wanted_per_second": rate,
        "done_per_second": round(result.arrivals / result.seconds, 1),
        "latency_p50_ms": round(1000 * result.latency_p50, 1),
        "latency_p99_ms": round(1000 * result.latency_p99, 1),
        "latency_max_ms": round(1000 * result.latency_max, 1),
        "server_cpu_ms_each": round(1000 * result.server_cpu / result.arrivals, 2),
        "server_cpu_share": round(result.server_cpu / result.seconds, 3),
        "notices_each": round(result.notices / result.arrivals, 1),
        "reply_kb": round(result.reply_bytes / 1000, 1),
        "late": result.late,
        "load_cpu_share": round(result.load_cpu / result.seconds, 3),
    }


COLUMNS = {
    "case": "case",
    "arrivals": "arrivals",
    "wanted_per_second": "wanted/s",
    "done_per_second": "done/s",
    "latency_p50_ms": "p50 ms",
    "latency_p99_ms": "p99 ms",
    "latency_max_ms": "max ms",
    "server_cpu_ms_each": "CPU ms each",
    "server_cpu_share": "server CPU",
    "notices_each": "notices each",
    "reply_kb": "reply kB",
    "late": "late",
    "load_cpu_share": "load CPU",
}


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Arrivals benchmark: sign-ins and joins at a steady rate.")
    parser.add_argument("--cases", nargs="+", choices=["sign-ins", "bjoin", "join"], metavar="CASE")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long people arrive")
    parser.add_argument("--sign-ins", type=float, default=40.0, help="sign-ins a second")
    parser.add_argument("--joins", type=float, default=150.0, help="bjoins, or joins, a second")
    parser.add_argument("--groups", action="store_true", help="the same people share all their rooms")
    parser.add_argument("--server-cpu", type=int, default=0, metavar="CPU")
    parser.add_argument("--load-cpu", type=int, default=1, metavar="CPU")
    parser.add_argument("--json", action="store_true", help="print one array of objects")
    options = parser.parse_args(arguments)
    if not {options.server_cpu, options.load_cpu} <= os.sched_getaffinity(0):
        parser.error(f"CPUs {sorted(os.sched_getaffinity(0))} are available; name two of them")
    return options


def main() -> None:
    """Measure every case asked for."""
    options = read_options(sys.argv[1:])
    rows = []
    if not options.json:
        print("  ".join(f"{title:>8}" for title in COLUMNS.values()), flush=True)
    for case in options.cases or ["sign-ins", "bjoin", "join"]:
        rate = options.sign_ins if case == "sign-ins" else options.joins
        row = figures(case, rate, measure(options, case))
        rows.append(row)
        if not options.json:
            print(
                "  ".join(f"{row[key]!s:>{max(len(title), 8)}}" for key, title in COLUMNS.items()), flush=True
            )
            if row["late"]:
                print("    (the load generator was late: the server may be able to do more)", flush=True)
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
