"""A front end in memory, and clients that talk to it in whole requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field
from lxml import etree
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal
from pchat.errors import SipRefused
from pchat.frontend.front_end import FrontEnd
from pchat.frontend.limits import PresenceLimits, RegistrationLimits
from pchat.frontend.provisioning import ChatAddresses
from pchat.sip.headers import Headers
from pchat.sip.message import Request, Response
from pchat.store.people import PolicyRecord, PrincipalRecord
from pchat.testing.connection import FakeConnection
from pchat.testing.store import counting_random, memory_store

START = 1_800_000_000.0
PUBLISH = "application/msrtc-category-publish+xml"
RICH = "http://schemas.microsoft.com/2006/09/sip/rich-presence"
STATE = "http://schemas.microsoft.com/2006/09/sip/state"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ADDRESSES = ChatAddresses(
    pool_uri="sip:ocschat@example.com",
    pool_uris=("sip:GC-1-PersistentChatService-1@example.com",),
    web_internal="https://chat.example.com/PersistentChat/RM",
    web_external="https://chat.example.net/PersistentChat/RM",
)


def principal_record(number: int, name: str, state: int = 0, kind: int = 5) -> PrincipalRecord:
    """Make an account as the store has it."""
    uri = f"sip:{name}@example.com"
    return PrincipalRecord(
        principal_id=number,
        guid=f"guid-{number}",
        uri=uri,
        uri_folded=uri,
        kind=kind,
        name=name,
        display_name=name.capitalize(),
        company="",
        email=f"{name}@example.com",
        state=state,
    )


class World:
    """A server's front end, its store and its people.

    Args:
        presence: Bounds of presence.
        registration: Bounds of registrations.
    """

    def __init__(
        self, presence: PresenceLimits | None = None, registration: RegistrationLimits | None = None
    ) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.store: Any = memory_store(self.clock)
        self.random = counting_random()
        self.presence_limits = presence
        self.registration_limits = registration
        self.directory = LocalDirectory()
        for number, name in enumerate(("alice", "bob", "carol"), 1):
            self.directory.apply_principal(principal_record(number, name))
        self.directory.apply_policy(PolicyRecord("global", 0, True, ""))
        self.restart()

    def restart(self) -> None:
        """Begin anew with what the store remembers; connections of before are dead."""
        self.front = FrontEnd(
            self.directory,
            self.store,
            lambda: ADDRESSES,
            self.clock,
            self.random,
            presence_limits=self.presence_limits,
            registration_limits=self.registration_limits,
        )

    def user(self, name: str) -> Principal:
        """Find a person."""
        found = self.directory.by_uri(f"sip:{name}@example.com")
        assert found is not None
        return found

    def client(self, name: str, epid: str = "cf0b98dadeb9", port: int = 49152) -> Client:
        """Connect somebody; he is authenticated, not yet registered."""
        connection = FakeConnection(user=self.user(name), peer=f"192.0.2.7:{port}")
        return Client(self, name, connection, epid)

    def signed_in(self, name: str, epid: str = "cf0b98dadeb9") -> Client:
        """Connect and register somebody, and subscribe to his own presence."""
        client = self.client(name, epid)
        client.register()
        client.subscribe_self()
        return client


def result(deferred: Deferred[Response]) -> Response:
    """Take an answer that has to be there by now; a refusal is raised."""
    outcome: list[Any] = []
    deferred.addBoth(outcome.append)
    assert outcome, "no answer yet"
    if not isinstance(outcome[0], Response):
        outcome[0].raiseException()
    response: Response = outcome[0]
    return response


@define(eq=False)
class Client:
    """One endpoint of somebody."""

    world: World
    name: str
    connection: FakeConnection
    epid: str
    cseq: int = 0
    #: Answered SUBSCRIBEs by event, for requests inside the dialog.
    dialogs: dict[str, tuple[str, str]] = field(factory=dict)

    @property
    def uri(self) -> str:
        """The user's URI."""
        return f"sip:{self.name}@example.com"

    def request(
        self,
        method: str,
        *,
        uri: str | None = None,
        call_id: str = "",
        to_tag: str = "",
        headers: Iterable[tuple[str, str]] = (),
        content_type: str = "",
        body: bytes | str = b"",
        epid: str | None = None,
    ) -> Request:
        """Build a request as the client sends it."""
        self.cseq += 1
        tail = f";tag={to_tag}" if to_tag else ""
        fields = [
            ("Via", "SIP/2.0/tls 192.0.2.7:49152;branch=z9hG4bK1"),
            ("From", f"<{self.uri}>;tag=4278647422;epid={self.epid if epid is None else epid}"),
            ("To", f"<{uri or self.uri}>{tail}"),
            ("CSeq", f"{self.cseq} {method}"),
            ("Call-ID", call_id or f"call-{id(self)}-{self.cseq}"),
            *headers,
        ]
        if content_type:
            fields.append(("Content-Type", content_type))
        data = body.encode() if isinstance(body, str) else body
        return Request(method, uri or self.uri, Headers(fields), body=data)

    # -- REGISTER

    def register(self, expires: int | None = None, contact: str | None = None, **changed: Any) -> Response:
        """Register, renew, or sign out with ``expires=0``."""
        instance = f"<urn:uuid:b7878522-d7fe-5c33-b30d-{self.epid}>"
        usual = f'<sip:192.0.2.7:49152;transport=tls;ms-opaque=d3>;+sip.instance="{instance}";proxy=replace'
        headers = [("Contact", contact or usual)]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        request = self.request("REGISTER", headers=headers, **changed)
        user = self.connection.user
        assert user is not None
        return self.world.front.registrar.register(self.connection, request, user)

    def disconnect(self) -> None:
        """Lose the connection without a word."""
        self.connection.connected = False
        self.world.front.connection_lost(self.connection)

    # -- SUBSCRIBE

    def subscribe(
        self,
        event: str,
        body: bytes | str = b"",
        *,
        expires: int | None = 28800,
        benotify: bool = True,
        piggyback: bool = True,
        inside: bool = False,
        headers: Iterable[tuple[str, str]] = (),
        **changed: Any,
    ) -> Response:
        """Send a SUBSCRIBE and take its answer."""
        return result(
            self.start_subscribe(
                event,
                body,
                expires=expires,
                benotify=benotify,
                piggyback=piggyback,
                inside=inside,
                headers=headers,
                **changed,
            )
        )

    def start_subscribe(
        self,
        event: str,
        body: bytes | str,
        *,
        expires: int | None,
        benotify: bool,
        piggyback: bool,
        inside: bool,
        headers: Iterable[tuple[str, str]],
        **changed: Any,
    ) -> Deferred[Response]:
        """Send a SUBSCRIBE; remember its dialog."""
        fields = [("Event", event), ("Contact", f"<{self.uri};opaque=user:epid:{self.epid};gruu>"), *headers]
        if expires is not None:
            fields.append(("Expires", str(expires)))
        if benotify:
            fields += [("Supported", "ms-benotify"), ("Proxy-Require", "ms-benotify")]
        if piggyback:
            fields.append(("Supported", "ms-piggyback-first-notify"))
        if inside:
            changed["call_id"], changed["to_tag"] = self.dialogs[event]
        request = self.request("SUBSCRIBE", headers=fields, body=body, **changed)

        def remember(response: Response) -> Response:
            if response.status == 200:
                self.dialogs[event] = (response.call_id, response.to.tag or "")
            return response

        return self.world.front.subscriptions.subscribe(self.connection, request).addCallback(remember)

    def subscribe_self(self, *parts: str, inside: bool = False, **changed: Any) -> Response:
        """Subscribe to the own presence; without parts to all of it."""
        body = ""
        if parts:
            types = "".join(f'<roaming type="{part}"/>' for part in parts)
            namespace = "http://schemas.microsoft.com/2006/09/sip/roaming-self"
            body = f'<roamingList xmlns="{namespace}">{types}</roamingList>'
        return self.subscribe("vnd-microsoft-roaming-self", body, inside=inside, **changed)

    def watch(
        self, *uris: str, action: str = "subscribe", names: Sequence[str] = (), **changed: Any
    ) -> Response:
        """Subscribe to the presence of others."""
        resources = "".join(f'<resource uri="{uri}"><context/></resource>' for uri in uris)
        wanted = "".join(
            f'<category name="{name}"/>'
            for name in names or ("calendarData", "contactCard", "note", "services", "state")
        )
        body = (
            '<batchSub xmlns="http://schemas.microsoft.com/2006/01/sip/batch-subscribe"'
            f' uri="{self.uri}" name="">'
            f'<action name="{action}" id="63792024"><adhocList>{resources}</adhocList>'
            f'<categoryList xmlns="http://schemas.microsoft.com/2006/09/sip/categorylist">{wanted}</categoryList>'
            "</action></batchSub>"
        )
        return self.subscribe("presence", body, **changed)

    # -- SERVICE

    def service(self, content_type: str, body: bytes | str, **changed: Any) -> Response:
        """Send a SERVICE and take its answer."""
        request = self.request("SERVICE", content_type=content_type, body=body, **changed)
        return result(self.world.front.presence.service(self.connection, request))

    def publish(self, *items: str, uri: str | None = None) -> Response:
        """Publish elements made by `publication`."""
        return self.service(PUBLISH, publish_body(uri or self.uri, *items))

    def state(
        self, availability: int, version: int = 0, kind: str = "userState", instance: int = 0x20000000
    ) -> str:
        """Make a publication element that says how available the user is."""
        payload = (
            f'<state xmlns="{STATE}" xmlns:xsi="{XSI}" xsi:type="{kind}">'
            f"<availability>{availability}</availability></state>"
        )
        return publication("state", instance, 2, version, "static", payload)

    # -- what came

    def notified(self) -> list[etree._Element]:
        """Take the bodies of the notifications that came since the last call."""
        return [etree.fromstring(request.body) for request in self.connection.take_requests()]


def publication(
    name: str,
    instance: int,
    container: int,
    version: int = 0,
    expire_type: str = "static",
    payload: str = "",
    expires: int | None = None,
) -> str:
    """Write a publication element."""
    more = "" if expires is None else f' expires="{expires}"'
    return (
        f'<publication categoryName="{name}" instance="{instance}" container="{container}"'
        f' version="{version}" expireType="{expire_type}"{more}>{payload}</publication>'
    )


def deletion(name: str, instance: int, container: int, version: int = 0, expire_type: str = "static") -> str:
    """Write a publication element that deletes."""
    return publication(name, instance, container, version, expire_type, expires=0)


def publish_body(uri: str, *items: str) -> str:
    """Write a category-publish document."""
    return f'<publish xmlns="{RICH}"><publications uri="{uri}">{"".join(items)}</publications></publish>'


def note(text: str) -> str:
    """Write the payload of a note."""
    body = f'<body type="personal">{text}</body>'
    return f'<note xmlns="http://schemas.microsoft.com/2006/09/sip/note">{body}</note>'


def categories(document: etree._Element | bytes) -> list[tuple[str, ...]]:
    """List the categories of a document as (name, container, instance, version); '-' for what is not told."""
    root = etree.fromstring(document) if isinstance(document, bytes) else document
    return [
        tuple(element.get(name, "-") for name in ("name", "container", "instance", "version"))
        for element in root.iter("{http://schemas.microsoft.com/2006/09/sip/categories}category")
    ]


def named(document: etree._Element | bytes, *names: str) -> list[tuple[str, ...]]:
    """List those of `categories` that have one of some names."""
    return [found for found in categories(document) if found[0] in names]


def refused(call: Any, *args: Any, **changed: Any) -> int:
    """Tell the status with which a call is refused."""
    try:
        call(*args, **changed)
    except SipRefused as error:
        return error.status
    raise AssertionError("not refused")
