"""A server in memory whose store can be slow or away, and people who talk to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field
from lxml import etree
from twisted.internet.defer import Deferred, fail

from pchat.config import Config
from pchat.config.sections import SipConfig, SipLimits
from pchat.errors import StoreUnavailable
from pchat.interfaces import Body
from pchat.rooms.room import Role, Room
from pchat.sip.message import Request, Response
from pchat.store.messages import AppendOutcome, NewMessage
from pchat.store.sqlite import SqliteStore
from pchat.testing.memory import MemoryConnection, MemoryServer, now_or_never

ACTOR = "unix:root"
POOL = "sip:GC-1-PersistentChatService-1@example.com"
XCCOS = "urn:parlano:xml:ns:xccos"


class ReluctantStore(SqliteStore):
    """A real store that can be told to refuse or to delay some kinds of work.

    Kinds are the names of transaction bodies, and ``append``. What is delayed has not been begun.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.away: set[str] = set()
        self.slow: set[str] = set()
        #: Asked for each kind; the test may replace it.
        self.fails: Callable[[str], bool] = lambda kind: kind in self.away
        self._waiting_calls: list[Callable[[bool], None]] = []

    def write(self, body: Body, *args: Any) -> Deferred[Any]:
        """Write, unless told otherwise."""
        return self._perhaps(body.__name__, lambda: SqliteStore.write(self, body, *args))  # type: ignore[attr-defined]  # bodies are functions

    def read(self, body: Body, *args: Any) -> Deferred[Any]:
        """Read, unless told otherwise."""
        return self._perhaps(body.__name__, lambda: SqliteStore.read(self, body, *args))  # type: ignore[attr-defined]  # bodies are functions

    def append(self, messages: Sequence[NewMessage]) -> Deferred[list[AppendOutcome]]:
        """Append, unless told otherwise."""
        return self._perhaps("append", lambda: SqliteStore.append(self, messages))

    def _perhaps(self, kind: str, work: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        if kind in self.slow:
            later: Deferred[Any] = Deferred()

            def begin(failed: bool) -> None:
                away = failed or self.fails(kind)
                (fail(StoreUnavailable("the disk is away")) if away else work()).chainDeferred(later)

            self._waiting_calls.append(begin)
            return later
        return fail(StoreUnavailable("the disk is away")) if self.fails(kind) else work()

    @property
    def waiting(self) -> int:
        """How much was delayed."""
        return len(self._waiting_calls)

    def go(self, *, failing: bool = False) -> None:
        """Do the oldest of what was delayed, or have it fail."""
        self._waiting_calls.pop(0)(failing)


class ReluctantServer(MemoryServer):
    """A whole server on a `ReluctantStore`."""

    store: ReluctantStore

    def _open(self, on_disk: bool) -> ReluctantStore:
        return ReluctantStore(
            ":memory:",
            clock=self.clock,
            server_name=self.config.server.name,
            random=self.random,
            inline=True,
            record_events=self.config.compliance.enabled,
        )


class World:
    """A server whose people may all chat, with a category ``Demo`` for everybody and an open room ``Lobby``.

    Args:
        limits: Of SIP.
    """

    def __init__(self, *, limits: SipLimits | None = None, compliance: bool = True) -> None:
        config = evolve(Config(), sip=evolve(SipConfig(), limits=limits or SipLimits()))
        config = evolve(config, compliance=evolve(config.compliance, enabled=compliance))
        self.server = ReluctantServer(config=config)
        self.store = self.server.store
        self.clock = self.server.clock
        self.parts = self.server.parts
        self.administration = self.server.administration
        self._endpoints = 0
        now_or_never(self.administration.people.set_policy(ACTOR, True))
        now_or_never(self.administration.categories.add_category(ACTOR, "Demo", allowed=["example.com"]))
        self.lobby = self.add_room("Lobby")

    def add_room(self, name: str, privacy: str = "open", members: Sequence[str] = (), **more: Any) -> Room:
        """Make a room."""
        rooms = self.administration.rooms
        now_or_never(
            rooms.add_room(ACTOR, name, category=more.pop("category", "Demo"), privacy=privacy, **more)
        )
        for member in members:
            self.add_member(name, member)
        room = self.parts.base.tree.room_by_name(name)
        assert room is not None
        return room

    def add_member(self, room: str, name: str) -> None:
        """Make somebody a member."""
        self.add_user(name)
        now_or_never(
            self.administration.rooms.add_role(ACTOR, room, Role.MEMBER, [f"sip:{name}@example.com"])
        )

    def remove_member(self, room: str, name: str) -> None:
        """Take a member away."""
        uri = f"sip:{name}@example.com"
        now_or_never(self.administration.rooms.remove_role(ACTOR, room, Role.MEMBER, [uri]))

    def add_user(self, name: str) -> None:
        """Make an account unless there is one."""
        uri = f"sip:{name}@example.com"
        if self.parts.base.directory.by_uri(uri) is None:
            now_or_never(self.administration.people.add_user(ACTOR, uri, display_name=name.capitalize()))

    def connect(self, name: str) -> Person:
        """Open a connection for somebody who has an account; he has not signed in."""
        self.add_user(name)
        self._endpoints += 1
        return Person(self, name, self._endpoints)

    def person(self, name: str) -> Person:
        """Sign somebody in and open a chat dialog."""
        found = self.connect(name)
        assert found.register().status == 200
        assert found.invite().status == 200
        return found

    def events(self, *kinds: str) -> list[str]:
        """Return compliance events of some kinds, each as ``kind user room reason``."""
        found = []
        for kind, user, room, detail in self.server.events():
            if kind in kinds:
                reason = detail.partition('"reason": "')[2].partition('"')[0]
                name = user.removeprefix("sip:").removesuffix("@example.com")
                found.append(" ".join(filter(None, (kind, name, room, reason))))
        return found

    def settle(self, *people: Person) -> None:
        """Let people read until nothing moves."""
        while sum(person.pull() for person in people):
            pass


@define(eq=False)
class Person:
    """One endpoint of somebody: it signs in, has a chat dialog, and answers the server's requests."""

    world: World
    name: str
    number: int
    connection: MemoryConnection = field(init=False)
    #: Status with which it answers the server's requests; None leaves them unanswered.
    answers: int | None = 200
    agent: str = "Test/1.0"
    lost: bool = False
    cseq: int = 0
    remote_tag: str = ""
    responses: list[Response] = field(factory=list)
    requests: list[Request] = field(factory=list)
    unanswered: list[Request] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.connection = self.world.server.connect()

    @property
    def uri(self) -> str:
        """The user's address."""
        return f"sip:{self.name}@example.com"

    @property
    def closed(self) -> bool:
        """Whether the server closed the connection."""
        return self.connection.closed

    @property
    def dialog(self) -> Any:
        """The server's side of the dialog."""
        return next(one for one in self.world.parts.dialogs if one.local_tag == self.remote_tag)

    @property
    def session(self) -> Any:
        """The channel service's side of the dialog."""
        return self.dialog.application

    # -- requests

    def write(
        self, method: str, *headers: str, body: str | bytes = b"", to: str = "", uri: str = "", **forged: Any
    ) -> bytes:
        """Write a request outside or inside the dialog."""
        cseq = forged.get("cseq")
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        data = body.encode() if isinstance(body, str) else body
        tag = forged.get("tag", f"t{self.number}")
        lines = [
            f"{method} {uri or POOL} SIP/2.0",
            f"Via: SIP/2.0/TLS 192.0.2.7:1;branch={forged.get('branch') or f'z9hG4bK{self.number}x{cseq}'}",
            f"From: <{forged.get('user') or self.uri}>;tag={tag};epid=e{self.number}",
            f"To: {to or f'<{self.uri}>'}",
            f"Call-ID: {forged.get('call_id') or f'call{self.number}'}",
            f"CSeq: {cseq} {method}",
            f"User-Agent: {self.agent}",
            *headers,
            f"Content-Length: {len(data)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def send(self, data: bytes) -> list[Response]:
        """Send bytes; returns the responses that came back."""
        before = len(self.responses)
        self.connection.send(data)
        self.world.settle(self)
        return self.responses[before:]

    def ask(self, method: str, *headers: str, **more: Any) -> Response:
        """Send a request that is answered at once."""
        [response] = self.send(self.write(method, *headers, **more))
        return response

    def register(self, *headers: str) -> Response:
        """Sign in."""
        contact = f"Contact: <sip:192.0.2.7:{self.number};transport=tls>"
        return self.ask("REGISTER", contact, *headers, uri="sip:example.com")

    def invite(self, *headers: str, **more: Any) -> Response:
        """Open a chat dialog."""
        more.setdefault("to", f"<{POOL}>")
        response = self.ask("INVITE", f"Contact: <sip:192.0.2.7:{self.number}>", *headers, **more)
        if response.status == 200:
            self.remote_tag = response.to.tag or ""
        return response

    @property
    def inside(self) -> str:
        """To of a request inside the dialog."""
        return f"<{POOL}>;tag={self.remote_tag}"

    def info(self, body: str, **more: Any) -> list[Response]:
        """Send an INFO in the dialog."""
        more.setdefault("to", self.inside)
        return self.send(self.write("INFO", "Content-Type: text/plain", body=document(body), **more))

    def end_dialog(self) -> list[Response]:
        """End the dialog; returns all answers that this brings about."""
        return self.send(self.write("BYE", to=self.inside))

    # -- chat

    def command(self, name: str, data: str = "") -> Reply | None:
        """Run a command; returns the reply if it came."""
        self.info(f'<cmd id="cmd:{name}" seqid="1"><data>{data}</data></cmd>')
        return self.reply(name)

    def join(self, *rooms: Room) -> Reply | None:
        """Enter rooms; several by ``bjoin``."""
        ids = "".join(
            f'<chanid key="{n}" domain="example.com" value="{r.guid}"/>' for n, r in enumerate(rooms)
        )
        return self.command("join" if len(rooms) == 1 else "bjoin", ids)

    def part(self, room: Room) -> Reply | None:
        """Leave a room."""
        return self.command("part", f'<chanib uri="{room.uri}"/>')

    def history(self, room: Room, count: int | str = 10) -> Reply | None:
        """Read the last messages of a room."""
        return self.command("bccontext", f'<chanib uri="{room.uri}"/><bcq><last cnt="{count}"/></bcq>')

    def post(self, room: Room | str, text: str, more: str = "", attributes: str = "") -> Response | None:
        """Post; returns the answer to the INFO if it came."""
        uri = room if isinstance(room, str) else room.uri
        chat = f"<chat>{text}</chat>" if text else ""
        answers = self.info(
            f'<grpchat id="grpchat" seqid="1" chanUri="{uri}" {attributes}>{chat}{more}</grpchat>'
        )
        return answers[0] if answers else None

    # -- what came

    def pull(self) -> bool:
        """Read and answer what came; False if nothing did."""
        came = self.connection.receive()
        for message in came:
            if isinstance(message, Response):
                self.responses.append(message)
                continue
            self.requests.append(message)
            if message.method == "ACK":
                continue
            if self.answers is None:
                self.unanswered.append(message)
            elif not self.closed:
                self.connection.send(message.response(self.answers).to_bytes())
        if self.closed and not self.lost:
            self.lose()
        return bool(came)

    def hear(self) -> list[etree._Element]:
        """Take what the server said in the dialog since the last call: children of the envelopes."""
        self.world.settle(self)
        taken, self.requests = self.requests, []
        return [etree.fromstring(request.body)[0] for request in taken if request.method == "INFO"]

    def chats(self) -> list[str]:
        """Take the texts of messages since the last call; everything else that came is dropped."""
        return [str(one[0].text) for one in self.hear() if local(one) == "grpchat"]

    def notices(self) -> list[str]:
        """Take the names of notices since the last call; everything else that came is dropped."""
        return [one.get("id", "") for one in self.hear() if local(one) == "ntc"]

    def reply(self, name: str) -> Reply | None:
        """Take the reply to a command out of what came."""
        self.world.settle(self)
        for request in self.requests:
            if request.method != "INFO":
                continue
            element = etree.fromstring(request.body)[0]
            if local(element) == "rpl" and element.get("id") == f"rpl:{name}":
                self.requests.remove(request)
                return Reply(element)
        return None

    def lose(self) -> None:
        """Lose the connection, or see that the server closed it."""
        self.lost = True
        self.connection.lose()


class Reply:
    """A reply to a command."""

    def __init__(self, element: etree._Element) -> None:
        [resp] = [child for child in element if local(child) == "resp"]
        self.code = int(resp.get("code", "0"))
        self.symbol = resp.text
        self.data = [child for outer in element if local(outer) == "data" for child in outer]

    def named(self, name: str) -> list[etree._Element]:
        """Return the data's children of one name."""
        return [child for child in self.data if local(child) == name]


def local(element: etree._Element) -> str:
    """Tell an element's name without its namespace."""
    return str(etree.QName(element).localname)


def document(body: str) -> str:
    """Put commands or a post into an envelope."""
    return f'<xccos ver="1" envid="7" xmlns="{XCCOS}">{body}</xccos>'
