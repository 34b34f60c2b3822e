"""How many deliveries a second one core of the server makes, in one room of many participants.

Run as ``python bench/fanout.py``; see bench/README.md. The server is a real one, started here with a store
of its own, and stays on one CPU; a second process with real TLS connections signs everybody in, answers
every INFO with 200 and keeps a number of posts on their way. It stays on another CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.load.accounts import make_crowd  # noqa: E402 - found by the line above
from bench.load.generator import Order, Result  # noqa: E402
from tests.integration.server_process import ServerProcess  # noqa: E402

SIZES = (100, 500, 1000)
GENERATOR_BUSY = 0.95
"""Above this share of its CPU the generator, not the server, may be what was measured."""


def measure(options: argparse.Namespace, clients: int, signed: bool) -> Result:
    """Start a server, let the generator loose on it, and return what came out."""
    server = ServerProcess(cpus={options.server_cpu})
    try:
        server.configure("auth", schemes=["ntlm" if signed else "none"])
        crowd = make_crowd(server.config, clients)
        server.start()
        order = Order(
            address=server.sip,
            authority=str(server.authority),
            server_pid=server.pid,
            users=crowd.users,
            password=crowd.password if signed else None,
            pool=f"sip:GC-1-PersistentChatService-1@{server.domain}",
            room=crowd.room,
            warm_up=options.warm_up,
            seconds=options.seconds,
            outstanding=options.outstanding,
            text_bytes=options.text_bytes,
            cpu=options.load_cpu,
        )
        answer = subprocess.run(
            [sys.executable, "-m", "bench.load.generator"],
            cwd=REPOSITORY,
            input=json.dumps(attrs.asdict(order)),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            sys.stderr.write(server.log_tail())
            raise SystemExit(f"{clients} clients, {'signed' if signed else 'unsigned'}: failed")
        return Result(**json.loads(answer.stdout))
    finally:
        server.discard()


def figures(result: Result) -> dict[str, Any]:
    """Compute what is printed; the keys are those of ``--json``."""
    return {
        "clients": result.clients,
        "signed": result.signed,
        "deliveries_per_second": round(result.deliveries / result.seconds),
        "deliveries_per_server_cpu_second": round(result.deliveries / result.server_cpu),
        "server_cpu_seconds_per_1000_deliveries": round(1000 * result.server_cpu / result.deliveries, 4),
        "last_delivery_p50_ms": round(1000 * result.latency_p50, 1),
        "last_delivery_p99_ms": round(1000 * result.latency_p99, 1),
        "resident_kb_per_idle_connection": round(result.memory_idle / 1000, 1),
        "resident_kb_per_joined_connection": round(result.memory_joined / 1000, 1),
        "deliveries_per_read": round(result.deliveries / result.reads, 2),
        "server_cpu_share": round(result.server_cpu / result.seconds, 3),
        "load_cpu_share": round(result.load_cpu / result.seconds, 3),
        "sign_ins_per_second": round((result.clients - 1) / result.sign_in_seconds),
        "joins_per_second": round((result.clients - 1) / result.join_seconds),
        "posts": result.posts,
        "seconds": round(result.seconds, 2),
    }


COLUMNS = {
    "clients": "clients",
    "signed": "signed",
    "deliveries_per_second": "deliveries/s",
    "deliveries_per_server_cpu_second": "per CPU s",
    "server_cpu_seconds_per_1000_deliveries": "CPU s/1000",
    "last_delivery_p50_ms": "p50 ms",
    "last_delivery_p99_ms": "p99 ms",
    "resident_kb_per_idle_connection": "kB idle",
    "resident_kb_per_joined_connection": "kB joined",
    "deliveries_per_read": "per read",
    "server_cpu_share": "server CPU",
    "load_cpu_share": "load CPU",
    "sign_ins_per_second": "sign-ins/s",
}


def show(row: dict[str, Any]) -> None:
    """Print a row of the table."""
    cells = [f"{row[key]!s:>{max(len(title), 7)}}" for key, title in COLUMNS.items()]
    print("  ".join(cells), flush=True)
    if row["load_cpu_share"] > GENERATOR_BUSY:
        print("    (the load generator's CPU was full: the server may be able to do more)", flush=True)


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Fan-out benchmark: one room, many participants.")
    parser.add_argument("--clients", type=int, nargs="+", default=list(SIZES), metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measurement")
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds before it")
    parser.add_argument("--outstanding", type=int, default=10, help="posts on their way at any time")
    parser.add_argument("--text-bytes", type=int, default=100, help="length of a post's text")
    parser.add_argument("--server-cpu", type=int, default=0, metavar="CPU")
    parser.add_argument("--load-cpu", type=int, default=1, metavar="CPU")
    scheme = parser.add_mutually_exclusive_group()
    scheme.add_argument("--signed", action="store_true", help="only sessions signed by NTLM")
    scheme.add_argument("--unsigned", action="store_true", help="only unsigned sessions, scheme none")
    parser.add_argument("--json", action="store_true", help="print one array of objects")
    options = parser.parse_args(arguments)
    available = os.sched_getaffinity(0)
    if min(options.clients) < 2 or options.text_bytes < 20:
        parser.error("at least 2 clients, and 20 bytes of text")
    if not {options.server_cpu, options.load_cpu} <= available:
        parser.error(f"CPUs {sorted(available)} are available; name two of them")
    return options


def main() -> None:
    """Measure every size asked for, unsigned and signed."""
    options = read_options(sys.argv[1:])
    schemes = [True] if options.signed else [False] if options.unsigned else [False, True]
    rows = []
    if not options.json:
        print("  ".join(f"{title:>7}" for title in COLUMNS.values()), flush=True)
    for signed in schemes:
        for clients in options.clients:
            row = figures(measure(options, clients, signed))
            rows.append(row)
            if not options.json:
                show(row)
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
