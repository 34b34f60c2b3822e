"""One endpoint of a user that does one thing at a time, and gives up when it takes too long.

It is a client as any other: it checks the server's certificate and signatures, answers what it is asked,
and knows nothing but what came over the wire.

Source: docs/spec/sip-sign-in.md sections 2 and 4; docs/spec/xccos.md chapters 1 to 3.
"""

from __future__ import annotations

import re
import secrets
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from html import unescape
from types import TracebackType

from attrs import frozen

from pchat.client import ntlm, wire
from pchat.client.signing import Session, SignatureWrong
from pchat.client.wire import Malformed, Message
from pchat.errors import OperatorError

READ_BYTES = 1 << 16
#: More than any server of ours sends at once; a peer that sends more without an end is no server of ours.
BUFFER_BYTES = 8 << 20

_RESPONSE = re.compile(r'<resp code="(\d+)">([^<]*)</resp>')
_CHANIB = re.compile(r"<chanib ([^>]*)>")
_ATTRIBUTE = re.compile(r'([\w:]+)="([^"]*)"')


class EndpointFailed(OperatorError):
    """The server did not do what it should.

    Args:
        text: What; made one line of, since it may quote what a server sent.
    """

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


class PasswordMissing(EndpointFailed):
    """The server asks for a password, and none is known."""


@frozen
class Place:
    """Where a server is and how to know it.

    Args:
        host: Address to connect to.
        port: Port of a SIP listener.
        tls: Checks the server's certificate; None for a listener without TLS.
        name: What the certificate must be for.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    name: str


class Endpoint:
    """A connection of one user.

    Args:
        place: Where the server is.
        user: ``user@domain``.
        seconds: How long everything together may take.
        clock: Time in seconds; it only grows.

    Raises:
        EndpointFailed: Nobody listens, or the certificate is not to be trusted.
    """

    def __init__(
        self, place: Place, user: str, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.user = user
        self.uri = f"sip:{user}"
        self._clock = clock
        self._deadline = clock() + seconds
        self._session: Session | None = None
        self._rest = b""
        self._infos: deque[Message] = deque()
        self._cseq = 0
        self._number = 0
        self._tag = secrets.token_hex(4)
        self._call_id = secrets.token_hex(16)
        self._to = f"<{self.uri}>"
        self._pool = ""
        self._socket = self._connect(place)
        self._transport = "tls" if place.tls else "tcp"
        self._local = "{}:{}".format(*self._socket.getsockname()[:2])

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up: leave all rooms and the connection."""
        try:
            if self._pool:
                self._socket.sendall(self._in_dialog("BYE"))
        except OSError:
            pass  # the server was faster
        finally:
            self._socket.close()

    # -- what a user does

    def sign_in(self, password: str | None) -> None:
        """Register; by NTLM if the server asks for it.

        Args:
            password: Of the account; None if it has none.

        Raises:
            EndpointFailed: Refused, or no password where one is needed.
        """
        answer = self._ask(self._register({}))
        if answer.status == 401:
            if password is None:
                raise PasswordMissing(f"{self.user}: the server asks for a password, and none is given")
            answer = self._handshake(answer, password)
            if answer.status == 401:
                raise EndpointFailed(f"{self.user}: the server refuses the password")
        if answer.status != 200:
            raise self._refused("sign in", answer)

    def _handshake(self, answer: Message, password: str) -> Message:
        scheme, _, challenge = answer.headers.get("www-authenticate", "").partition(" ")
        given = wire.parameters(challenge)
        if scheme.upper() != "NTLM" or not {"realm", "targetname"} <= given.keys():
            raise EndpointFailed(f"{self.user}: the server offers {scheme or 'nothing'}, and not NTLM")
        place = f'realm="{given["realm"]}", targetname="{given["targetname"]}"'
        hello = f'{scheme} qop="auth", {place}, gssapi-data="", version=4'
        answer = self._ask(self._register({"Authorization": hello}))
        given = wire.parameters(answer.headers.get("www-authenticate", ""))
        if answer.status != 401 or not {"gssapi-data", "opaque"} <= given.keys():
            raise self._refused("sign in", answer)
        try:
            reply = ntlm.answer(given["gssapi-data"], self.user, password)
        except Malformed as error:
            raise EndpointFailed(f"{self.user}: the server sends {error}") from None
        session = Session(given["realm"], given["targetname"], given["opaque"], reply.session_key)
        self._session = session
        return self._ask(self._register({}, f', gssapi-data="{reply.token}", version=4'))

    def open_chat(self, pool: str) -> None:
        """Open a dialog with the chat service.

        Raises:
            EndpointFailed: Refused.
        """
        self._pool, self._to = pool, f"<{pool}>"
        self._call_id, self._cseq = secrets.token_hex(16), 0
        answer = self._ask(self._in_dialog("INVITE"))
        if answer.status != 200:
            self._pool = ""
            raise self._refused("open the chat service", answer)
        self._to = answer.headers["to"]
        self._send(self._in_dialog("ACK"))

    def command(self, name: str, data: str) -> str:
        """Give one command and wait for its reply.

        Returns:
            The reply's envelope.

        Raises:
            EndpointFailed: Refused; the text says with what code.
        """
        self._number += 1
        self._post("do " + name, wire.command(self._number, name, data))
        envelope = f'envid="{self._number}"'
        body = self.hear(lambda body: "<rpl " in body and f'<commandid seqid="1" {envelope}' in body)
        found = _RESPONSE.search(body)
        if found is None or found[1] != "200":
            told = " ".join(found.groups()) if found else body[:200]
            raise EndpointFailed(f"{self.user}: {name} was answered {told}")
        return body

    def join(self, room: str) -> None:
        """Enter a room.

        Raises:
            EndpointFailed: Refused.
        """
        domain, _, guid = room.removeprefix("ma-chan://").partition("/")
        self.command("join", f'<chanid key="0" domain="{domain}" value="{guid}"/>')

    def rooms(self) -> dict[str, dict[str, str]]:
        """Ask which rooms the user belongs to; attributes by URI."""
        reply = self.command("getassociations", '<association type="MEMBER" maxResults="100"/>')
        found = [
            {name: unescape(value) for name, value in _ATTRIBUTE.findall(block)}
            for block in _CHANIB.findall(reply)
        ]
        return {room["uri"]: room for room in found if "uri" in room}

    def say(self, room: str, text: str) -> None:
        """Post a line of plain ASCII.

        Raises:
            EndpointFailed: It was not kept.
        """
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._number += 1
        body = (
            f'<xccos ver="1" envid="{self._number}" xmlns="{wire.NAMESPACE}"><grpchat id="grpchat" seqid="1"'
            f' chanUri="{room}" author="{self.uri}" ts="{now}"><chat>{text}</chat></grpchat></xccos>'
        )
        self._post("post", body.encode())

    def hear(self, wanted: Callable[[str], bool]) -> str:
        """Wait for an INFO of the server whose body is wanted; others are answered and dropped.

        Raises:
            EndpointFailed: It did not come in time.
        """
        while True:
            while self._infos:
                body = self._infos.popleft().body
                if wanted(body):
                    return body
            self._take(self._receive())

    # -- requests

    def _post(self, what: str, body: bytes) -> None:
        answer = self._ask(self._in_dialog("INFO", body))
        if answer.status != 200:
            raise self._refused(what, answer)

    def _refused(self, what: str, answer: Message) -> EndpointFailed:
        reason = answer.headers.get("ms-diagnostics", "")
        line = answer.first_line.removeprefix("SIP/2.0 ")
        return EndpointFailed(f"{self.user} could not {what}: {line}{' – ' if reason else ''}{reason}")

    def _register(self, extra: dict[str, str], token: str = "") -> bytes:
        self._cseq += 1
        headers = self._headers("REGISTER", f"<{self.uri}>") | {
            "Contact": f"<sip:{self._local};transport={self._transport}>"
            f';+sip.instance="<urn:uuid:{self._tag}>"',
            "Supported": "gruu-10, adhoclist, msrtc-event-categories",
            "Event": "registration",
        }
        return self._signed("REGISTER", f"sip:{self.user.partition('@')[2]}", headers | extra, token)

    def _in_dialog(self, method: str, body: bytes = b"") -> bytes:
        if method != "ACK":
            self._cseq += 1
        headers = self._headers(method, self._to)
        headers["Contact"] = f"<sip:{self._local};transport={self._transport}>"
        return self._signed(method, self._pool, headers, body=body)

    def _headers(self, method: str, to: str) -> dict[str, str]:
        return {
            "Via": f"SIP/2.0/{self._transport} {self._local};branch=z9hG4bK{secrets.token_hex(8)}",
            "From": f"<{self.uri}>;tag={self._tag};epid={self._tag}",
            "To": to,
            "Call-ID": self._call_id,
            "CSeq": f"{self._cseq} {method}",
            "Max-Forwards": "70",
            "User-Agent": "pchat",
        }

    def _signed(
        self, method: str, uri: str, headers: dict[str, str], token: str = "", body: bytes = b""
    ) -> bytes:
        plain = wire.request(method, uri, headers, body)
        if self._session is None:
            return plain
        header = self._session.authorization(Message.parse(plain), token)
        return wire.request(method, uri, {**headers, "Authorization": header}, body)

    def _ask(self, request: bytes) -> Message:
        """Send a request and wait for its final answer."""
        cseq = Message.parse(request).cseq
        self._send(request)
        while True:
            message = self._receive()
            if message.status >= 200 and message.cseq == cseq:
                self._verify(message)
                return message
            self._take(message)

    # -- what comes

    def _take(self, message: Message) -> None:
        if message.status:
            return
        self._verify(message)
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = ["SIP/2.0 200 OK", *(f"{name}: {message.headers[name.lower()]}" for name in names)]
        answer = "\r\n".join([*lines, "Content-Length: 0\r\n\r\n"])
        if self._session is not None:
            header = self._session.authorization(Message.parse(answer.encode()))
            answer = "\r\n".join([*lines, f"Authorization: {header}", "Content-Length: 0\r\n\r\n"])
        self._send(answer.encode())
        if message.first_line.startswith("INFO "):
            self._infos.append(message)

    def _verify(self, message: Message) -> None:
        # A refusal of the handshake itself is not signed: there are no keys yet.
        if self._session is None or (message.status and message.status != 200):
            return
        try:
            self._session.verify(message)
        except SignatureWrong:
            raise EndpointFailed(f"{self.user}: the server's signature is missing or wrong") from None

    # -- bytes

    def _connect(self, place: Place) -> socket.socket:
        where = f"{place.host}:{place.port}"
        try:
            plain = socket.create_connection((place.host, place.port), timeout=self._left())
        except OSError as error:
            raise EndpointFailed(f"{where} cannot be reached: {error}") from error
        # Otherwise a request waits until the answer sent before it is acknowledged: 40 ms not of the server.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.tls is None:
            return plain
        try:
            return place.tls.wrap_socket(plain, server_hostname=place.name)
        except OSError as error:
            plain.close()
            raise EndpointFailed(f"{where}: TLS failed: {error}") from error

    def _left(self) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise EndpointFailed(f"{self.user}: the server did not answer in time")
        return left

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise EndpointFailed(f"{self.user}: the connection broke: {error}") from error

    def _receive(self) -> Message:
        while (message := self._next_whole()) is None:
            self._socket.settimeout(self._left())
            try:
                data = self._socket.recv(READ_BYTES)
            except TimeoutError:
                raise EndpointFailed(f"{self.user}: the server did not answer in time") from None
            except OSError as error:
                raise EndpointFailed(f"{self.user}: the connection broke: {error}") from error
            if not data:
                raise EndpointFailed(f"{self.user}: the server closed the connection")
            self._rest += data
            if len(self._rest) > BUFFER_BYTES:
                raise EndpointFailed(f"{self.user}: the server sends a message without an end")
        return message

    def _next_whole(self) -> Message | None:
        self._rest = self._rest.lstrip(b"\r\n")  # keep-alives between messages
        head, found, _ = self._rest.partition(b"\r\n\r\n")
        if not found:
            return None
        length = re.search(rb"(?i)^content-length:\s*(\d{1,9})\s*$", head, re.MULTILINE)
        size = len(head) + 4 + (int(length[1]) if length else 0)
        if len(self._rest) < size:
            return None
        whole, self._rest = self._rest[:size], self._rest[size:]
        try:
            return wire.received(whole)
        except Malformed as error:
            raise EndpointFailed(f"{self.user}: the server sends {error}") from None
