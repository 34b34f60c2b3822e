"""The documents that presence sends: values to XML.

Source: docs/spec/presence.md sections 1, 3 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from attrs import frozen

from pchat.frontend.containers import Container
from pchat.frontend.markup import escape, wire_time
from pchat.frontend.publications import Conflict, Place, Publication
from pchat.ticks import TICKS_PER_SECOND

SELF_TYPE = "application/vnd-microsoft-roaming-self+xml"
FAULT_TYPE = "application/msrtc-fault+xml"
CATEGORIES_TYPE = "application/msrtc-event-categories+xml"
RESOURCE_LIST_TYPE = "application/rlmi+xml"

_CATEGORIES = "http://schemas.microsoft.com/2006/09/sip/categories"
_CONTAINERS = "http://schemas.microsoft.com/2006/09/sip/containers"
_SUBSCRIBERS = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers"
_DELEGATES = "http://schemas.microsoft.com/2007/09/sip/delegates"


@frozen
class Shown:
    """An instance of a category as a watcher sees it: no container, no version.

    Args:
        instance: Its number.
        published_at: Ticks.
        payload: The element inside, as UTF-8.
    """

    instance: int
    published_at: int
    payload: bytes


def roaming_data(*parts: str) -> bytes:
    """Put parts of the own presence into their document.

    Args:
        parts: What `own_categories`, `own_containers` and `own_subscribers` returned.
    """
    return (
        '<roamingData xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"'
        f' xmlns:cat="{_CATEGORIES}" xmlns:con="{_CONTAINERS}"'
        f' xmlns:sub="{_SUBSCRIBERS}" xmlns:del="{_DELEGATES}">' + "".join(parts) + "</roamingData>"
    ).encode()


def own_categories(uri: str, rows: Iterable[Publication], empty: Iterable[Place], now: int) -> str:
    """Write a user's publications for his own endpoints.

    Args:
        uri: The user's URI.
        rows: What is there.
        empty: Places that were touched and hold nothing now; they are named without an instance.
        now: Ticks; timed rows tell the seconds left.

    Source: docs/spec/presence.md section 3.
    """
    written = [_own_category(row, now) for row in rows]
    written += [
        f'<category name="{escape(place.category)}" container="{place.container}"/>'
        for place in sorted(empty)
    ]
    return f'<categories xmlns="{_CATEGORIES}" uri="{escape(uri)}">{"".join(written)}</categories>'


def _own_category(row: Publication, now: int) -> str:
    expires = ""
    if row.expires_at is not None:
        expires = f' expires="{max(1, ceil((row.expires_at - now) / TICKS_PER_SECOND))}"'
    return (
        f'<category name="{escape(row.key.category)}" instance="{row.key.instance}"'
        f' publishTime="{wire_time(row.published_at)}" container="{row.key.container}"'
        f' version="{row.version}" expireType="{row.expire_type.value}"{expires}>'
        f"{row.payload.decode()}</category>"
    )


def own_containers(rows: Iterable[Container]) -> str:
    """Write the members of a user's containers, each list whole."""
    return f'<containers xmlns="{_CONTAINERS}">{"".join(map(_own_container, rows))}</containers>'


def _own_container(row: Container) -> str:
    members = "".join(
        f'<member type="{member.kind.value}"'
        + (f' value="{escape(member.value)}"' if member.value else "")
        + "/>"
        for member in row.members
    )
    return f'<container id="{row.number}" version="{row.version}">{members}</container>'


def own_subscribers() -> str:
    """Write the list of people who wait to be let in: none, since nobody is made to wait."""
    return f'<subscribers xmlns="{_SUBSCRIBERS}"/>'


def own_delegates() -> str:
    """Write the list of delegates: none, they are not supported."""
    return f'<delegates xmlns="{_DELEGATES}" version="0"/>'


def version_fault(conflicts: Sequence[Conflict]) -> bytes:
    """Write the body of a 409: which elements of the request were made in ignorance.

    Source: docs/spec/presence.md section 1 ("409").
    """
    operations = "".join(
        f'<operation index="{item.index}" version="{item.version}" curVersion="{item.current}"/>'
        for item in conflicts
    )
    return (
        f"<Fault><Faultcode>Client.BadCall.WrongDelta</Faultcode><details>{operations}</details></Fault>"
    ).encode()


def watched_categories(uri: str, categories: Iterable[tuple[str, Sequence[Shown]]]) -> bytes:
    """Write a user's categories for a watcher; a category without instances is named alone.

    Args:
        uri: The URI by which the watcher asked.
        categories: Names and instances.

    Source: docs/spec/presence.md section 5.
    """
    written = "".join(_watched_category(name, instances) for name, instances in categories)
    return f'<categories xmlns="{_CATEGORIES}" uri="{escape(uri)}">{written}</categories>'.encode()


def _watched_category(name: str, instances: Sequence[Shown]) -> str:
    if not instances:
        return f'<category name="{escape(name)}"/>'
    return "".join(
        f'<category name="{escape(name)}" instance="{shown.instance}"'
        f' publishTime="{wire_time(shown.published_at)}">{shown.payload.decode()}</category>'
        for shown in instances
    )


def contact_card(display_name: str, email: str) -> bytes:
    """Write who somebody is, for users who have published no card of their own."""
    mail = f"<email>{escape(email)}</email>" if email else ""
    return (
        '<contactCard xmlns="http://schemas.microsoft.com/2006/09/sip/contactcard"><identity>'
        f"<name><displayName>{escape(display_name)}</displayName></name>{mail}</identity></contactCard>"
    ).encode()


def services(uri: str) -> bytes:
    """Write what can be done with somebody who is online: text."""
    return (
        f'<services xmlns="http://schemas.microsoft.com/2006/09/sip/service"><service uri="{escape(uri)}">'
        '<capabilities><text render="true" capture="true" deviceAvailability="3500"/></capabilities>'
        "</service></services>"
    ).encode()


def resource_list(uri: str, parts: Sequence[tuple[str, bytes]], boundary: str) -> tuple[str, bytes]:
    """Write the answer to a batch subscription: a list of contacts, then a part for each.

    Args:
        uri: Name of the list.
        parts: URI of each contact as it was asked for, and its categories document.
        boundary: Text that stands in no part.

    Returns:
        Content type with its parameters, and body.

    Source: docs/spec/presence.md section 5.
    """
    names = [f"contact{number}@list" for number in range(len(parts))]
    resources = "".join(
        f'<resource uri="{escape(contact)}"><instance id="0" state="active" cid="{name}"/></resource>'
        for name, (contact, _) in zip(names, parts, strict=True)
    )
    listing = (
        f'<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="{escape(uri)}" version="0" fullState="false">'
        f"{resources}</list>"
    ).encode()
    pieces = [_part(boundary, "resourceList", RESOURCE_LIST_TYPE, listing)]
    pieces += [
        _part(boundary, name, CATEGORIES_TYPE, body) for name, (_, body) in zip(names, parts, strict=True)
    ]
    pieces.append(f"--{boundary}--\r\n".encode())
    kind = f'multipart/related;type="{RESOURCE_LIST_TYPE}";start=resourceList;boundary={boundary}'
    return kind, b"".join(pieces)


def _part(boundary: str, name: str, kind: str, body: bytes) -> bytes:
    # RFC 2045 section 6.2: binary is UTF-8 that nobody has encoded once more.
    head = f"Content-Transfer-Encoding: binary\r\nContent-ID: {name}\r\nContent-Type: {kind}\r\n\r\n"
    return f"--{boundary}\r\n{head}".encode() + body + b"\r\n"
