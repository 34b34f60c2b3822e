"""A participant that enters many rooms at once, and hears who else comes."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence

from bench.load.participant import LoadFailed, Participant, Script, Watcher
from pchat.client import wire
from pchat.client.wire import Message

_FAILED = re.compile(r"<fib [^>]*>")


class Joiner(Participant):
    """A user who opens a dialog and enters rooms by one ``bjoin``.

    The arguments are those of `Participant`.
    """

    def __init__(self, user: str, password: str | None, connection: socket.socket, watcher: Watcher) -> None:
        super().__init__(user, password, connection, watcher)
        #: Notices that came.
        self.notices = 0
        self.reply_bytes = 0
        #: When the command was sent, and when its reply was there.
        self.began = self.ended = 0.0

    def open(self, pool: str) -> Script:
        """Open a dialog with the chat service."""
        self._pool, self._to = pool, f"<{pool}>"
        self._call_id, self._cseq = f"{self._user}.chat", 0
        answer = yield self._in_dialog("INVITE")
        self._expect_ok(answer)
        self._to = answer.headers["to"]
        self.send(self._in_dialog("ACK"))

    def bulk_join(self, rooms: Sequence[str]) -> Script:
        """Enter all rooms at once."""
        chanids = []
        for number, room in enumerate(rooms):
            domain, _, guid = room.removeprefix("ma-chan://").partition("/")
            chanids.append(f'<chanid key="{number}" domain="{domain}" value="{guid}"/>')
        self.began = time.perf_counter()
        answer = yield self._in_dialog("INFO", wire.command(1, "bjoin", "".join(chanids)))
        self._expect_ok(answer)
        reply = self._join_reply or (yield "rpl:bjoin")
        self.ended = time.perf_counter()
        self.reply_bytes = len(reply.body)
        if '<resp code="200">' not in reply.body or _FAILED.search(reply.body):
            raise LoadFailed(f"{self._user} may not join: {reply.body[:500]}")

    def _take_info(self, data: bytes, position: int, end: int, stop: int) -> bytes:
        """Deal with an INFO, which is nearly always a notice of somebody who came."""
        if self._answer_middle and data.find(b'<ntc id="ntc:', end, stop) >= 0:
            self.notices += 1
        else:
            self._take_reply(data[position:stop])
        return self._answer(data, position, end)

    def _take_reply(self, data: bytes) -> None:
        self._learn(info := Message.parse(data))
        if "<ntc " in info.body:
            self.notices += 1
        elif "rpl:bjoin" in info.body:
            self._join_reply = info
            if self._awaited == "rpl:bjoin":
                self._advance(info)
