"""One participant: a TLS connection, the user signed in on it, and its dialog with the chat service.

What happens a few times a connection is a script: a generator that yields a request and is sent the
answer. What happens for each delivery, `Participant.take`, is written for speed: it looks for bytes,
makes no objects but the answer, and sends the answers to everything of one read in one write.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator
from typing import Protocol

from bench.load.wire import POST_DIGITS, POST_END, post_start
from pchat.client import ntlm, wire
from pchat.client.signing import Session
from pchat.client.wire import Message

READ_BYTES = 1 << 16
VERIFIED = 3
"""Deliveries whose signature each participant checks; to check all would measure the checker."""

Script = Generator["bytes | str", Message, None]
"""Yields a request and is sent its final response, or yields a text and is sent an INFO that holds it."""


class LoadFailed(Exception):
    """The server did not do what it should."""


class Watcher(Protocol):
    """Who is told of deliveries, and of connections that take no more."""

    def delivered(self, number: int) -> None:
        """A copy of the post with this number has arrived."""

    def accepted(self) -> None:
        """A post was answered with 200."""

    def blocked(self, participant: Participant) -> None:
        """The connection takes no more; `Participant.flush` is due when it does."""


class Participant:
    """A signed-in user on a connection of its own.

    Args:
        user: ``user@domain``.
        password: For NTLM; None to sign in without a scheme.
        connection: Not blocking; if it has TLS, its handshake done.
        watcher: Told of every copy of a post.
    """

    def __init__(self, user: str, password: str | None, connection: socket.socket, watcher: Watcher) -> None:
        self.connection = connection
        self.unsent = b""
        self._user = user
        self._uri = f"sip:{user}"
        self._password = password
        self._watcher = watcher
        self._local = "{}:{}".format(*connection.getsockname()[:2])
        self._rest = b""
        self._session: Session | None = None
        self._script: Script | None = None
        self._awaited: tuple[int, str] | str | None = None
        self._join_reply: Message | None = None
        self._call_id = f"{user}.register"
        self._cseq = 0
        self._pool = ""
        self._to = ""
        self._post_start = b""
        # what all answers in the dialog have in common, once the first INFO came
        self._answer_middle = b""
        self._next_chat_id = 0
        self._to_verify = VERIFIED

    # -- scripts

    @property
    def busy(self) -> bool:
        """Whether a script is still running."""
        return self._script is not None

    def start(self, script: Script) -> None:
        """Begin a script."""
        self._script = script
        self._advance(None)

    def _advance(self, message: Message | None) -> None:
        assert self._script is not None
        try:
            step = next(self._script) if message is None else self._script.send(message)
        except StopIteration:
            self._script = self._awaited = None
            return
        if isinstance(step, str):
            self._awaited = step
        else:
            self._awaited = Message.parse(step).cseq
            self.send(step)

    def sign_in(self) -> Script:
        """Register; with NTLM if there is a password."""
        answer = yield self._register({})
        if self._password is not None:
            scheme, _, challenge = answer.headers["www-authenticate"].partition(" ")
            given = wire.parameters(challenge)
            place = f'realm="{given["realm"]}", targetname="{given["targetname"]}"'
            hello = f'{scheme} qop="auth", {place}, gssapi-data="", version=4'
            answer = yield self._register({"Authorization": hello})
            given = wire.parameters(answer.headers["www-authenticate"])
            reply = ntlm.answer(given["gssapi-data"], self._user, self._password)
            self._session = Session(given["realm"], given["targetname"], given["opaque"], reply.session_key)
            answer = yield self._register({}, f', gssapi-data="{reply.token}", version=4')
        self._expect_ok(answer)

    def join(self, pool: str, room: str) -> Script:
        """Open a dialog with the chat service and join a room.

        Args:
            pool: URI of the chat service.
            room: ``ma-chan://domain/GUID``.
        """
        self._pool, self._to = pool, f"<{pool}>"
        self._call_id, self._cseq = f"{self._user}.chat", 0
        answer = yield self._in_dialog("INVITE")
        self._expect_ok(answer)
        self._to = answer.headers["to"]
        self.send(self._in_dialog("ACK"))
        domain, _, guid = room.removeprefix("ma-chan://").partition("/")
        chanid = f'<chanid key="0" domain="{domain}" value="{guid}"/>'
        answer = yield self._in_dialog("INFO", wire.command(1, "join", chanid))
        self._expect_ok(answer)
        # the reply may have overtaken the 200
        reply = self._join_reply or (yield "rpl:join")
        if '<resp code="200">' not in reply.body:
            raise LoadFailed(f"{self._user} may not join: {reply.body}")
        self._post_start = post_start(room, self._uri)

    def _expect_ok(self, answer: Message) -> None:
        if answer.status != 200:
            raise LoadFailed(f"{self._user}: {answer.first_line} {answer.headers}")

    def _register(self, extra: dict[str, str], token: str = "") -> bytes:
        self._cseq += 1
        headers = {
            "Via": f"SIP/2.0/tls {self._local};branch=z9hG4bK{self._cseq}x{self._local}",
            "From": f"<{self._uri}>;tag=1;epid=load",
            "To": f"<{self._uri}>",
            "Call-ID": self._call_id,
            "CSeq": f"{self._cseq} REGISTER",
            "Max-Forwards": "70",
            "Contact": f'<sip:{self._local};transport=tls>;+sip.instance="<urn:uuid:{self._user}>"',
            "Supported": "gruu-10, adhoclist, msrtc-event-categories",
            "Event": "registration",
            **extra,
        }
        return self._signed("REGISTER", f"sip:{self._user.partition('@')[2]}", headers, token)

    def _in_dialog(self, method: str, body: bytes = b"") -> bytes:
        if method != "ACK":
            self._cseq += 1
        headers = {
            "Via": f"SIP/2.0/tls {self._local}",
            "From": f"<{self._uri}>;tag=2;epid=load",
            "To": self._to,
            "Call-ID": self._call_id,
            "CSeq": f"{self._cseq} {method}",
            "Max-Forwards": "70",
            "Contact": f"<sip:{self._local};transport=tls>",
        }
        return self._signed(method, self._pool, headers, body=body)

    def _signed(
        self, method: str, uri: str, headers: dict[str, str], token: str = "", body: bytes = b""
    ) -> bytes:
        plain = wire.request(method, uri, headers, body)
        if self._session is None:
            return plain
        header = self._session.authorization(Message.parse(plain), token)
        return wire.request(method, uri, {**headers, "Authorization": header}, body)

    def post(self, number: int, filling: bytes) -> None:
        """Send the post with this number."""
        text = b"%0*d %b" % (POST_DIGITS, number, filling)
        self.send(self._in_dialog("INFO", self._post_start + text + POST_END))

    # -- bytes in and out

    def send(self, data: bytes) -> None:
        """Write, and keep what the connection does not take."""
        if self.unsent:
            self.unsent += data
            return
        try:
            sent = self.connection.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            sent = 0
        if sent < len(data):
            self.unsent = data[sent:]
            self._watcher.blocked(self)

    def flush(self) -> None:
        """Write what was kept."""
        data, self.unsent = self.unsent, b""
        self.send(data)

    def receive(self) -> None:
        """Read what is there and deal with it."""
        try:
            data = self.connection.recv(READ_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        if not data:
            raise LoadFailed(f"the server closed the connection of {self._user}")
        self.take(data)

    def take(self, data: bytes) -> None:
        """Deal with every whole message; keep the rest."""
        if self._rest:
            data = self._rest + data
        find, size = data.find, len(data)
        position, answers = 0, []
        while (end := find(b"\r\n\r\n", position)) >= 0:
            stop = end + 4
            at = find(b"\r\nContent-Length: ", position, end)
            if at >= 0:
                stop += int(data[at + 18 : find(b"\r\n", at + 18)])
            if stop > size:
                break
            if data.startswith(b"INFO ", position):
                answers.append(self._take_info(data, position, end, stop))
            elif self._awaited is None and data.startswith(b"SIP/2.0 200 ", position):
                self._watcher.accepted()
            else:
                self._take_other(Message.parse(data[position:stop]))
            position = stop
        self._rest = data[position:]
        if answers:
            self.send(b"".join(answers))

    def _take_info(self, data: bytes, position: int, end: int, stop: int) -> bytes:
        """Deal with an INFO, which is nearly always a delivery, and return the answer to it."""
        find = data.find
        chat = find(b"<chat>p", end, stop)
        if chat < 0 or self._to_verify:
            self._take_notice(data[position:stop])
        if chat >= 0:
            at = find(b' chatId="', end, chat) + 9
            chat_id = int(data[at : find(b'"', at)])
            if chat_id != self._next_chat_id and self._next_chat_id:
                raise LoadFailed(f"{self._user} got chat id {chat_id} where {self._next_chat_id} was due")
            self._next_chat_id = chat_id + 1
            self._watcher.delivered(int(data[chat + 7 : chat + 7 + POST_DIGITS]))
        return self._answer(data, position, end)

    def _answer(self, data: bytes, position: int, end: int) -> bytes:
        """Make the 200 to an INFO."""
        find = data.find
        via = find(b"\r\nVia: ", position, end)
        at = find(b"\r\nCSeq: ", position, end) + 8
        cseq = data[at : find(b" ", at)]
        signature = self._session.answer_line(cseq) if self._session else b""
        return b"SIP/2.0 200 OK%b%b%b INFO\r\n%bContent-Length: 0\r\n\r\n" % (
            data[via : find(b"\r\n", via + 2)],
            self._answer_middle,
            cseq,
            signature,
        )

    def _take_notice(self, data: bytes) -> None:
        """Read an INFO slowly: the first ones in the dialog, and those that are no delivery."""
        self._learn(info := Message.parse(data))
        if "<grpchat " in info.body:
            self._to_verify -= 1
        elif "rpl:join" in info.body:
            self._join_reply = info
            if self._awaited == "rpl:join":
                self._advance(info)

    def _learn(self, info: Message) -> None:
        """Take from an INFO what the answers to all of the dialog have in common, and check its signature."""
        if not self._answer_middle:
            parts = [f"{name}: {info.headers[name.lower()]}" for name in ("From", "To", "Call-ID")]
            self._answer_middle = "\r\n".join(["", *parts, "CSeq: "]).encode()
            if self._session:
                self._session.prepare_answers(info)
        if self._session:
            self._session.verify(info)

    def _take_other(self, message: Message) -> None:
        if not message.status:
            raise LoadFailed(f"{self._user} knows no {message.first_line}")
        if message.status < 200:
            return
        if self._session and message.status == 200:
            self._session.verify(message)
        if message.cseq == self._awaited:
            self._advance(message)
        elif self._awaited is None:
            raise LoadFailed(f"a post of {self._user} was refused: {message.first_line} {message.headers}")
