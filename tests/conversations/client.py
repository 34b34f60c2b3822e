"""The client's end: it writes SIP as pidgin-sipe does, and checks what every client checks."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import deque
from collections.abc import Sequence
from itertools import count

from attrs import define, field

from pchat.sip.message import Request, Response, parse_head
from pchat.sip.stream import MessageStream
from pchat.testing.memory import MemoryConnection
from tests.auth import peer

POOL_URI = "sip:GC-1-PersistentChatService-1@example.com"
SIGNATURE = "{signature}"
NOTHING = "(none)"
#: Requests that belong to a dialog, if there is one.
IN_DIALOG = frozenset({"INFO", "UPDATE", "BYE", "ACK"})
#: Requests of the server that a client answers; the others (BENOTIFY) have no answer.
ANSWERED = frozenset({"INFO", "OPTIONS", "NOTIFY", "BYE"})
NAMESPACE = 'xmlns="urn:parlano:xml:ns:xccos"'


class ClientSurprised(AssertionError):
    """What came would have broken a real client."""


@define(eq=False)
class ClientDialog:
    """A dialog as the client knows it."""

    call_id: str
    service: str
    local_tag: str
    remote_tag: str = ""
    cseq: int = 1
    remote_cseq: int = 0


@define(eq=False)
class Client:
    """One endpoint of a user.

    Args:
        name: As the script calls it: ``Alice``, or ``Alice at home``.
        number: Makes its identifiers different from those of others.
        user: The user's name in lower case.
        user_agent: Value of its User-Agent header, if any.
    """

    name: str
    number: int
    user: str
    user_agent: str = ""
    connection: MemoryConnection | None = None
    inbox: deque[Request | Response] = field(factory=deque)
    dialogs: list[ClientDialog] = field(factory=list)
    disconnected: bool = False
    answers: int | None = 200
    unanswered: list[Request] = field(factory=list)
    ntlm: peer.Client | None = None
    signed: bool = False
    sends_anything: bool = False
    signs_answers: bool = True
    empty_lines: int = 0
    envelope_id: int = 0
    last_commands: dict[str, tuple[str, str]] = field(factory=dict)
    last_bytes: bytes = b""
    gathered: list[bytes] | None = None
    last_request: Request | None = None
    last_challenge: Response | None = None
    subscription_tag: str = ""
    port: int = 0
    _waiting: dict[tuple[str, int, str], Request] = field(factory=dict)
    _register_cseq: int = 0
    _stream: MessageStream = field(factory=MessageStream)
    _calls: count[int] = field(factory=lambda: count(1))

    @property
    def uri(self) -> str:
        """The user's address."""
        return f"sip:{self.user}@example.com"

    @property
    def contact(self) -> str:
        """Where the server reaches this endpoint."""
        return f"sip:192.0.2.7:{self.port};transport=tls;ms-opaque=d3470f2e{self.number:02x}"

    @property
    def dialog(self) -> ClientDialog | None:
        """The dialog with the service that was opened last."""
        return self.dialogs[-1] if self.dialogs else None

    def connected(self, connection: MemoryConnection) -> None:
        """Begin anew on a connection."""
        self.connection = connection
        self.port = connection.transport.getPeer().port
        self.inbox.clear()
        self.dialogs.clear()
        self._waiting.clear()
        self.unanswered.clear()
        self.disconnected = self.signed = False
        self.signs_answers = True
        self.sends_anything = False
        self.answers = 200
        self._register_cseq = 0
        self._stream = MessageStream()
        self.ntlm = None

    # -- sending

    def send(
        self,
        method: str,
        headers: Sequence[tuple[str, str]] = (),
        body: str = "",
        *,
        to: str | None = None,
        sign: bool = True,
        dialog: ClientDialog | None = None,
    ) -> None:
        """Write a request; headers that are given replace those that this client would write.

        Args:
            method: The method.
            headers: Name and value; the value ``(none)`` leaves the header out.
            body: Text of the body.
            to: The request's target, if it is not the obvious one.
            sign: Whether to sign in a signed session.
            dialog: The dialog; by default the last one.
        """
        dialog = dialog or self.dialog
        if method not in IN_DIALOG and not any(name == "To" and "tag=" in value for name, value in headers):
            dialog = None
        lines = self._default_headers(method, to, dialog)
        lines = _overridden(lines, headers)
        if self.signed and sign and not any(name == "Authorization" for name, _ in lines):
            lines.append(("Authorization", f"{self._authorization_head()}, {SIGNATURE}"))
        data = body.encode()
        if not any(name.lower() in {"content-length", "l"} for name, _ in headers):
            lines.append(("Content-Length", str(len(data))))
        uri = to or (dialog.service if dialog else self._default_target(method))
        text = "\r\n".join([f"{method} {uri} SIP/2.0", *(f"{name}: {value}" for name, value in lines)])
        lines_without_end = text.encode()
        request = parse_head(lines_without_end)
        assert isinstance(request, Request)
        if SIGNATURE in text:
            assert self.ntlm is not None, f"{self.name} has nothing to sign with"
            text = text.replace(SIGNATURE, self.ntlm.signature(request))
        self._note(method, request, dialog)
        self.send_bytes(text.encode() + b"\r\n\r\n" + data)

    def _default_target(self, method: str) -> str:
        if method in {"INVITE", "OPTIONS"}:
            return POOL_URI
        return "sip:example.com" if method == "REGISTER" else self.uri

    def _default_headers(
        self, method: str, to: str | None, dialog: ClientDialog | None
    ) -> list[tuple[str, str]]:
        call = next(self._calls)
        # Requests inside a dialog carry a Via without a branch.
        via = f"SIP/2.0/tls 192.0.2.7:{self.port}"
        tag = f"{self.number}{call:05d}"
        if dialog is not None:
            dialog.cseq += method not in {"ACK"}
            target, call_id, cseq, tag = dialog.service, dialog.call_id, dialog.cseq, dialog.local_tag
            remote_tag = f";tag={dialog.remote_tag}"
            cseq = 1 if method == "ACK" else cseq
        else:
            via += f";branch=z9hG4bK{self.number:02d}{call:06d}"
            target = to or (POOL_URI if method in {"INVITE", "OPTIONS"} else self.uri)
            call_id, cseq, remote_tag = f"{self.number}c{call}", 1, ""
        if method == "REGISTER":
            self._register_cseq += 1
            target, call_id, cseq = self.uri, f"{self.number}register", self._register_cseq
        headers = [
            ("Via", via),
            ("From", f"<{self.uri}>;tag={tag};epid=cf0b98dade{self.number:02x}"),
            ("To", f"<{target}>{remote_tag}"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
        ]
        if self.user_agent:
            headers.append(("User-Agent", self.user_agent))
        if method in {"REGISTER", "INVITE", "SUBSCRIBE"}:
            instance = f';+sip.instance="<urn:uuid:b7878522-d7fe-5c33-b30d-265f661800{self.number:02x}>"'
            headers.append(("Contact", f"<{self.contact}>{instance if method == 'REGISTER' else ''}"))
        if method == "INFO":
            headers.append(("Content-Type", "text/plain"))
        return headers

    def _note(self, method: str, request: Request, dialog: ClientDialog | None) -> None:
        if method == "INVITE" and dialog is None:
            self.dialogs.append(ClientDialog(request.call_id, request.to.uri, request.from_.tag or ""))
        if method != "ACK":
            self._waiting[request.call_id, request.cseq.number, request.cseq.method] = request
            self.last_request = request

    def send_info(self, content: str, *, sign: bool = True, dialog: ClientDialog | None = None) -> None:
        """Write an INFO around a command or post."""
        self.envelope_id += 1
        envelope_id = str(1000 * self.number + self.envelope_id)
        for name, seqid in re.findall(r'<cmd id="cmd:(\w+)" seqid="(\d+)"', content):
            self.last_commands[name.lower()] = envelope_id, seqid
        envelope = f'<xccos ver="1" envid="{envelope_id}" {NAMESPACE}>{content}</xccos>'
        self.send("INFO", body=envelope, sign=sign, dialog=dialog)

    def send_bytes(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.connection is not None, f"{self.name} is not connected"
        assert not self.disconnected, f"{self.name} was disconnected by the server"
        if self.gathered is not None:
            self.gathered.append(data)
            return
        self.last_bytes = data
        self.connection.send(data)

    def send_again(self) -> None:
        """Send the last request once more, byte by byte the same."""
        assert self.last_request is not None
        self._note(self.last_request.method, self.last_request, self.dialog)
        self.send_bytes(self.last_bytes)

    def _authorization_head(self) -> str:
        assert self.ntlm is not None
        return (
            f'NTLM qop="auth", opaque="{self.ntlm.opaque}", realm="{peer.REALM}", targetname="{peer.TARGET}"'
        )

    def answer_to_challenge(self) -> str:
        """Compute the NTLM AUTHENTICATE for the CHALLENGE that came last, in base64."""
        assert self.ntlm is not None, f"{self.name} has no password"
        assert self.last_challenge is not None, f"{self.name} was not challenged"
        value = self.last_challenge.headers.get("WWW-Authenticate", "") or ""
        params = peer.parameters(value)
        self.ntlm.opaque = params["opaque"]
        self.ntlm.cnum = 0
        return base64.b64encode(self.ntlm.answer(base64.b64decode(params["gssapi-data"]))).decode()

    @property
    def nonce(self) -> str:
        """What the server wants to be hashed in a digest."""
        assert self.last_challenge is not None
        return peer.parameters(self.last_challenge.headers.get("Proxy-Authenticate", "") or "")["nonce"]

    def digest(self, password: str) -> str:
        """Compute the answer to a digest challenge as pidgin-sipe does (RFC 2617 section 3.2.2)."""

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        first = md5(f"{self.user}@example.com:example.com:{password}")
        return md5(f"{first}:{self.nonce}:00000001:426b2218:auth:{md5('REGISTER:(null)')}")

    # -- receiving

    def pull(self) -> bool:
        """Take what the server sent, and answer its requests; tell whether anything came."""
        if self.connection is None or self.disconnected:
            return False
        messages = self._read(self.connection)
        for message in messages:
            self._check(message)
            self.inbox.append(message)
            if isinstance(message, Request) and message.method in ANSWERED:
                self._answer(message)
        if self.connection.closed:
            self.disconnected = True
            self.connection.lose()
            return True
        return bool(messages)

    def _read(self, connection: MemoryConnection) -> list[Request | Response]:
        connection.server.clock.advance(0)
        data = connection.transport.value()
        connection.transport.clear()
        if self.sends_anything:
            # The answer to a malformed request lacks what the request lacked.
            return [parse_head(head) for head in data.split(b"\r\n\r\n") if head.strip()]
        if data == b"\r\n":
            self.empty_lines += 1
            return []
        messages: list[Request | Response] = []
        for item in self._stream.receive(data):
            if not isinstance(item, Request | Response):
                raise ClientSurprised(f"{self.name} cannot read this:\n{data.decode(errors='replace')}")
            messages.append(item)
        return messages

    def lose(self) -> None:
        """Cut the connection."""
        assert self.connection is not None
        self.connection.lose()
        self.forget_connection()

    def forget_connection(self) -> None:
        """Notice that the connection is gone."""
        self.connection = None
        self.dialogs.clear()

    def answer_waiting(self) -> None:
        """Answer everything that was left unanswered, and go on answering."""
        self.answers = 200
        waiting, self.unanswered = self.unanswered, []
        for request in waiting:
            self._answer(request)

    def _answer(self, request: Request) -> None:
        if self.answers is None:
            self.unanswered.append(request)
            return
        response = request.response(self.answers)
        if self.signed and self.signs_answers:
            assert self.ntlm is not None
            response.headers.add("Authorization", self.ntlm.authorization(response))
        assert self.connection is not None
        self.connection.send(response.to_bytes())

    def _check(self, message: Request | Response) -> None:
        self._check_signature(message)
        if isinstance(message, Request):
            self._check_request(message)
        else:
            self._check_response(message)

    def _check_signature(self, message: Request | Response) -> None:
        if not self.signed and self.ntlm is None:
            return
        if isinstance(message, Response) and (message.status == 401 or message.cseq.method == "REGISTER"):
            if message.status == 200 and self.ntlm is not None and self.ntlm.session_key:
                self.signed = True
            elif not self.signed or message.status != 200:
                return
        if self.signed:
            assert self.ntlm is not None
            if "Authentication-Info" not in message.headers:
                raise ClientSurprised(f"{self.name} got a message without a signature:\n{shown(message)}")
            if not self.ntlm.accepts(message):
                raise ClientSurprised(f"{self.name} got a message with a wrong signature:\n{shown(message)}")

    def _check_response(self, response: Response) -> None:
        if self.sends_anything:
            # What answers malformed bytes need not be well-formed either.
            return
        key = response.call_id, response.cseq.number, response.cseq.method
        if response.status >= 200 and self._waiting.pop(key, None) is None:
            raise ClientSurprised(f"{self.name} got an answer to nothing it asked:\n{shown(response)}")
        if response.cseq.method == "SUBSCRIBE":
            self.subscription_tag = response.to.tag or ""
        if response.status in {401, 407}:
            self.last_challenge = response
        if response.cseq.method == "INVITE" and response.status >= 200:
            dialog = next(one for one in self.dialogs if one.call_id == response.call_id)
            if response.status >= 300 and not dialog.remote_tag:
                self.dialogs.remove(dialog)
            dialog.remote_tag = dialog.remote_tag or response.to.tag or ""

    def _check_request(self, request: Request) -> None:
        if request.method != "INFO":
            return
        dialog = next((one for one in self.dialogs if one.call_id == request.call_id), None)
        if dialog is None:
            raise ClientSurprised(f"{self.name} got an INFO of no dialog of its own:\n{shown(request)}")
        found = request.from_.uri, request.from_.tag, request.to.uri, request.to.tag, request.uri
        wanted = dialog.service, dialog.remote_tag, self.uri, dialog.local_tag, self.contact
        if found != wanted:
            raise ClientSurprised(f"{self.name} got an INFO that does not fit its dialog:\n{found}\n{wanted}")
        dialog.remote_cseq += 1
        if request.cseq.number != dialog.remote_cseq or request.content_type != "text/plain":
            raise ClientSurprised(f"{self.name} expected CSeq {dialog.remote_cseq}:\n{shown(request)}")


def shown(message: Request | Response) -> str:
    """Write a message for a human."""
    return "    " + message.to_bytes().decode(errors="replace").replace("\r\n", "\n    ").rstrip()


def _overridden(
    defaults: Sequence[tuple[str, str]], given: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    names = {name.lower() for name, _ in given}
    kept = [(name, value) for name, value in defaults if name.lower() not in names]
    return kept + [(name, value) for name, value in given if value != NOTHING]
