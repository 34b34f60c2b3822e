"""What a server asked of its system, in order, as strace saw it.

A line of the trace is written when a call begins; if another thread does something before it ends, a
second line tells its end. A causes B only if A's end stands before B's beginning.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import define

CALLS = ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "fdatasync", "fsync")
"""Every way to write, and to make it stay."""
LONGEST_DATA = 1 << 20
"""Bytes of one call that are traced; no write of a server under test is longer."""
WAL_HEADER, FRAME_HEADER = 32, 24
"""Bytes. Source: SQLite, "WAL-mode File Format" sections 1 and 2."""

_LINE = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)$")
_TARGET = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+|[^\[>]*\[[^\]]*\])>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_OFFSET = re.compile(r'", \d+, (\d+)(?:\)| <)')
_RESULT = re.compile(r"\) += (-?\d+)")
_OK = re.compile(rb"SIP/2\.0 200 .*?\r\n\r\n", re.DOTALL)
_KEY = re.compile(rb"(?s)^(?=.*\r\nCall-ID: ([^\r]*))(?=.*\r\nCSeq: (\d+) INFO\r)")


def command(output: Path) -> list[str]:
    """Return what runs a program under strace; the program stays the direct child."""
    calls = "trace=" + ",".join(CALLS)
    options = ["-D", "-f", "-q", "-yy", "-xx", "--seccomp-bpf", "-s", str(LONGEST_DATA)]
    return ["strace", *options, "-e", calls, "-e", "signal=none", "-o", str(output)]


@define
class Call:
    """One call.

    Args:
        name: Of the call.
        target: What it was about: a path, or ``TCP:[here->there]``.
        data: What it wrote.
        offset: Where in the file, of a ``pwrite64``.
        begin: Number of the line that tells its beginning.
        end: Number of the line that tells its end; None if it never ended.
        result: What it returned.
    """

    name: str
    target: str
    data: bytes
    offset: int
    begin: int
    end: int | None = None
    result: int | None = None

    @property
    def is_sync(self) -> bool:
        """Whether it has made a file's data stay."""
        return self.name in ("fdatasync", "fsync") and self.result == 0

    @property
    def is_write(self) -> bool:
        """Whether it hands over data."""
        return self.name not in ("fdatasync", "fsync")


def read_trace(lines: Iterable[str]) -> list[Call]:
    """Read what strace wrote.

    Raises:
        ValueError: A line is not understood, so nothing could be concluded from the trace.
    """
    calls: list[Call] = []
    running: dict[str, Call] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if not found:
            if " +++ " not in line:
                raise ValueError(f"line {number} of the trace: {line[:200]!r}")
            continue
        thread, name, way, rest = found.groups()
        if way == "(":
            running[thread] = _begun(name, rest, number)
            calls.append(running[thread])
        if result := _RESULT.search(rest[-200:]):
            call = running.pop(thread)
            call.end, call.result = number, int(result[1])
    return calls


def _begun(name: str, rest: str, number: int) -> Call:
    target = _TARGET.match(rest)
    if not target:
        raise ValueError(f"line {number} of the trace tells no target: {rest[:200]!r}")
    texts = _TEXT.findall(rest, target.end())
    if any(cut for _, cut in texts):
        raise ValueError(f"line {number} of the trace is cut")
    data = b"".join(_unhexed(text) for text, _ in texts)
    offset = _OFFSET.search(rest) if name == "pwrite64" else None
    path = target[1] if "[" in target[1] else _unhexed(target[1]).decode()
    return Call(name, path, data, int(offset[1]) if offset else -1, number)


def _unhexed(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class Log:
    """The calls about a write-ahead log.

    Args:
        calls: All calls of the trace.
        path: The log's file.
        page_size: Of the database, in bytes.
    """

    def __init__(self, calls: Iterable[Call], path: Path, page_size: int) -> None:
        about = [call for call in calls if call.target == str(path)]
        self.writes = [call for call in about if call.is_write]
        self.syncs = [call for call in about if call.is_sync]
        self._frame = FRAME_HEADER + page_size

    def commit_of(self, text: bytes) -> tuple[Call, Call] | None:
        """Return the write that first holds a text, and the one that completes its transaction."""
        number = next((at for at, write in enumerate(self.writes) if text in write.data), None)
        if number is None:
            return None
        write = self.writes[number]
        # the frame's own header may be a write of its own, just before its page
        for at in range(max(number - 1, 0), len(self.writes)):
            header = self.writes[at]
            if self._is_commit(header):
                whole = len(header.data) >= self._frame
                end = header if whole else (self.writes[at + 1] if at + 1 < len(self.writes) else None)
                if end is not None and end.begin >= write.begin:
                    return write, end
        return None

    def _is_commit(self, write: Call) -> bool:
        """Whether a write begins a frame that ends a transaction: it tells the database's size."""
        begins_frame = write.offset >= WAL_HEADER and (write.offset - WAL_HEADER) % self._frame == 0
        size: int = struct.unpack_from(">I", write.data, 4)[0] if begins_frame and len(write.data) >= 8 else 0
        return size != 0

    def synced_between(self, commit: Call, promise: Call) -> bool:
        """Whether the file was synced after a write had ended and before another began."""
        return any(
            commit.end is not None
            and commit.end < sync.begin
            and sync.end is not None
            and sync.end < promise.begin
            for sync in self.syncs
        )


def promises(calls: Iterable[Call]) -> dict[tuple[str, int], Call]:
    """Find the 200s to INFOs in what went to sockets: the first write of each, by (Call-ID, CSeq)."""
    found: dict[tuple[str, int], Call] = {}
    for call in calls:
        if call.is_write and call.target.startswith("TCP:"):
            for answer in _OK.findall(call.data):
                if key := _KEY.match(answer):
                    found.setdefault((key[1].decode(), int(key[2])), call)
    return found


def broken_promises(log: Log, calls: list[Call], posts: Mapping[tuple[str, int], str]) -> list[str]:
    """Tell every post whose 200 began to leave before its transaction was surely on disk.

    Args:
        log: The write-ahead log's part of the trace.
        calls: The whole trace.
        posts: Posts that were answered 200, by (Call-ID, CSeq); of each a part that is nowhere else.
    """
    answers = promises(calls)
    broken = []
    for key, text in posts.items():
        commit, promise = log.commit_of(text.encode()), answers.get(key)
        if commit is None:
            broken.append(f"{text:.40}: no whole transaction in the log holds it")
        elif promise is None:
            broken.append(f"{text:.40}: its 200 is not in the trace")
        elif not log.synced_between(commit[1], promise):
            broken.append(f"{text:.40}: committed in line {commit[1].begin}, promised in {promise.begin}")
    return broken


def early_writes(log: Log, calls: list[Call], texts: Iterable[str], peer: str) -> list[str]:
    """Tell what is wrong with the writes to a client that says one text after the other.

    It waits for the answer and for its echo, which leave in one write; so between the sync of one text's
    transaction and the first write of the next one's there is exactly one write to the client. What is
    in it need not be readable.

    Args:
        log: The write-ahead log's part of the trace.
        calls: The whole trace.
        texts: In the order said, all answered 200; of each a part that is nowhere else.
        peer: ``host:port`` of the client.
    """
    sent = [call for call in calls if call.is_write and call.target.endswith(f"->{peer}]")]
    wrong = []
    commits = [(text, log.commit_of(text.encode())) for text in texts]
    begins = [commit[0].begin for _, commit in commits if commit is not None]
    for number, (text, commit) in enumerate(commits):
        if commit is None:
            wrong.append(f"{text:.40}: no whole transaction in the log holds it")
            continue
        until = next((begin for begin in begins if begin > commit[0].begin), None)
        inside = [
            call for call in sent if call.begin > commit[0].begin and (until is None or call.begin < until)
        ]
        if len(inside) != 1:
            wrong.append(f"{text:.40}: {len(inside)} writes to the client (post {number})")
        elif not log.synced_between(commit[1], inside[0]):
            wrong.append(f"{text:.40}: written to the client in line {inside[0].begin} before the sync")
    return wrong
