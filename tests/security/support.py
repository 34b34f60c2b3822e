"""A hostile client: it writes what it likes, byte by byte, and keeps no rule that it is not made to keep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from attrs import define, evolve, field

from pchat.config import Config
from pchat.config.sections import SipConfig, SipLimits
from pchat.sip.message import Request, Response, parse_head
from pchat.sip.stream import MessageStream, StreamLimits
from pchat.testing.memory import MemoryConnection, MemoryServer, now_or_never
from tests.auth import peer

ACTOR = "unix:root"
POOL = "sip:GC-1-PersistentChatService-1@example.com"
PASSWORD = "correct-horse"
XCCOS = "urn:parlano:xml:ns:xccos"
PEOPLE = ("alice", "bob", "mallory")
_numbers = count(1)


def make_server(
    *schemes: str, passwords: bool = False, limits: SipLimits | None = None, people: Sequence[str] = PEOPLE
) -> MemoryServer:
    """Start a server whose people may all chat, with one category for everybody.

    Args:
        schemes: How they sign in; without a password by default.
        passwords: Whether accounts get one (it takes 50 ms each).
        limits: Of SIP.
        people: User names.
    """
    config = evolve(Config(), sip=evolve(SipConfig(), limits=limits or SipLimits()))
    server = MemoryServer(schemes or ("none",), config)
    administration = server.administration
    now_or_never(administration.people.set_policy(ACTOR, True))
    for name in people:
        password = PASSWORD if passwords else None
        now_or_never(administration.people.add_user(ACTOR, f"sip:{name}@example.com", password=password))
    now_or_never(administration.categories.add_category(ACTOR, "All", allowed=["example.com"]))
    return server


def add_room(server: MemoryServer, name: str, privacy: str = "open", **more: Any) -> str:
    """Make a room; returns its GUID."""
    shown = now_or_never(
        server.administration.rooms.add_room(ACTOR, name, category="All", privacy=privacy, **more)
    )
    return str(shown["uri"]).rpartition("/")[2]


def chanid(guid: str, domain: str = "example.com") -> str:
    """Name a room in a command."""
    return f'<chanid key="0" domain="{domain}" value="{guid}"/>'


@define(eq=False)
class Attacker:
    """One connection of somebody with bad intentions, signed in or not."""

    server: MemoryServer
    user: str = "mallory"
    host: str = "192.0.2.66"
    number: int = field(factory=lambda: next(_numbers))
    connection: MemoryConnection = field(init=False)
    tag: str = field(init=False)
    call_id: str = field(init=False)
    remote_tag: str = ""
    cseq: int = 0
    answers: bool = True
    received: list[Request | Response] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.connection = self.server.connect(self.host)
        self.connection._stream = MessageStream(StreamLimits(body_bytes=1 << 26))
        self.tag = f"t{self.number}"
        self.call_id = f"call{self.number}"

    @property
    def uri(self) -> str:
        """The own address."""
        return f"sip:{self.user}@example.com"

    def write(
        self,
        method: str,
        *headers: str,
        body: str | bytes = b"",
        uri: str = "",
        from_: str = "",
        to: str = "",
        call_id: str = "",
        cseq: int | None = None,
        via: str = "",
    ) -> bytes:
        """Write a request; everything can be forged."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        data = body.encode() if isinstance(body, str) else body
        lines = [
            f"{method} {uri or POOL} SIP/2.0",
            f"Via: {via or f'SIP/2.0/TLS {self.host}:1;branch=z9hG4bK{self.number}x{cseq}'}",
            f"From: {from_ or f'<{self.uri}>;tag={self.tag}'}",
            f"To: {to or f'<{self.uri}>'}",
            f"Call-ID: {call_id or self.call_id}",
            f"CSeq: {cseq} {method}",
            *headers,
        ]
        if not any(line.lower().startswith("content-length") for line in lines):
            lines.append(f"Content-Length: {len(data)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def take(self) -> list[Request | Response]:
        """Take what came, and answer what wants an answer."""
        taken: list[Request | Response] = []
        while True:
            came = self.connection.receive()
            if not came:
                break
            taken += came
            for message in came:
                if isinstance(message, Request) and message.method in {"INFO", "NOTIFY"} and self.answers:
                    self.connection.send(message.response(200).to_bytes())
        self.received += taken
        return taken

    def send(self, data: bytes) -> list[Request | Response]:
        """Send bytes; returns what came back."""
        self.connection.send(data)
        return self.take()

    def ask(self, method: str, *headers: str, **forged: Any) -> Response:
        """Send a request and return its answer."""
        data = self.write(method, *headers, **forged)
        responses = [message for message in self.send(data) if isinstance(message, Response)]
        assert len(responses) == 1, responses
        return responses[0]

    # -- as a client does

    def register(self, *headers: str) -> Response:
        """Sign in, where no password is asked for."""
        contact = f"Contact: <sip:{self.host}:{self.number};transport=tls>"
        return self.ask("REGISTER", contact, *headers, uri="sip:example.com")

    def invite(self, *headers: str, **forged: Any) -> Response:
        """Open a dialog with the service."""
        forged.setdefault("to", f"<{POOL}>")
        response = self.ask("INVITE", f"Contact: <sip:{self.host}:1>", *headers, **forged)
        self.remote_tag = response.to.tag or ""
        return response

    def info(self, body: str | bytes, **forged: Any) -> list[Request | Response]:
        """Send an INFO in the dialog; returns all that came back."""
        forged.setdefault("to", f"<{POOL}>;tag={self.remote_tag}")
        return self.send(self.write("INFO", "Content-Type: text/plain", body=body, **forged))

    def command(self, name: str, data: str = "", seqid: int = 1) -> str:
        """Run a command; returns the reply without what differs from run to run."""
        inner = f"<data>{data}</data>" if data else ""
        head = f'<xccos ver="1" envid="7" xmlns="{XCCOS}">'
        body = f'{head}<cmd id="cmd:{name}" seqid="{seqid}">{inner}</cmd></xccos>'
        came = self.info(body)
        replies = [
            message.body.decode()
            for message in came
            if isinstance(message, Request) and b"<rpl " in message.body
        ]
        assert len(replies) == 1, came
        return re.sub(r'(<xccos [^>]*?envid=")\d+', r"\1N", replies[0], count=1)

    def post(self, guid: str, text: str = "hello", attributes: str = "", **forged: Any) -> Response:
        """Post; returns the answer to the INFO."""
        came = self.info(self.post_body(guid, text, attributes), **forged)
        [answer] = [message for message in came if isinstance(message, Response)]
        return answer

    def post_body(self, guid: str, text: str = "hello", attributes: str = "") -> str:
        """Write a post."""
        return (
            f'<xccos ver="1" envid="8" xmlns="{XCCOS}"><grpchat id="grpchat" seqid="1" '
            f'chanUri="ma-chan://example.com/{guid}" {attributes}><chat>{text}</chat></grpchat></xccos>'
        )

    def ready(self) -> Attacker:
        """Sign in and open a dialog."""
        assert self.register().status == 200
        assert self.invite().status == 200
        return self

    def joined(self, guid: str) -> Attacker:
        """Join a room."""
        assert '<resp code="200">' in self.command("join", chanid(guid))
        return self

    @property
    def closed(self) -> bool:
        """Whether the server closed the connection."""
        return self.connection.closed

    def heard(self, text: str) -> int:
        """Count the messages from the server that hold a text."""
        self.take()
        return sum(text.encode() in message.body for message in self.received)


@define(eq=False)
class NtlmAttacker:
    """A client with keys, which it may misuse; its requests are those of `tests.auth.peer`."""

    server: MemoryServer
    user: str = "mallory"
    password: str = PASSWORD
    version: int | None = 4
    host: str = "192.0.2.66"
    login: str = ""
    domain: str = ""
    connection: MemoryConnection = field(init=False)
    peer: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.connection = self.server.connect(self.host)
        self.peer = peer.Client(
            self.login or f"{self.user}@example.com",
            self.domain,
            self.password,
            uri=f"sip:{self.user}@example.com",
            version=self.version,
        )

    def send(self, request: Request | bytes) -> list[Request | Response]:
        """Send a request."""
        self.connection.send(request if isinstance(request, bytes) else request.to_bytes())
        return self.connection.receive()

    def challenge(self) -> Response:
        """Get a CHALLENGE."""
        self.send(self.peer.first())
        [challenged] = self.send(self.peer.second())
        assert isinstance(challenged, Response)
        return challenged

    def register(self) -> list[Request | Response]:
        """Try to sign in; the last answer, or nothing if it is delayed."""
        return self.send(with_contact(self.peer.third(self.challenge())))

    def signed_in(self) -> NtlmAttacker:
        """Sign in."""
        [answer] = self.register()
        assert isinstance(answer, Response)
        assert answer.status == 200, answer
        return self

    def signed(self, method: str, *headers: str, to: str = "", **more: Any) -> Request:
        """Write a signed request."""
        request: Request = self.peer.request(method, *headers, sign=True, to=to or None, **more)
        return request

    @property
    def closed(self) -> bool:
        """Whether the server closed the connection."""
        return self.connection.closed


def with_contact(request: Request) -> Request:
    """Add what a REGISTER needs to succeed and what no signature covers."""
    request.headers.add("Contact", "<sip:192.0.2.66:1;transport=tls>")
    return request


def reread(request: Request) -> Request:
    """Read a request as the server will, after it was tampered with."""
    head = request.to_bytes().partition(b"\r\n\r\n")[0]
    message = parse_head(head)
    assert isinstance(message, Request)
    return message
