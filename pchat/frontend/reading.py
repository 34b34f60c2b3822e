"""Request bodies of presence: XML to values, everything bounded and checked here.

Source: docs/spec/presence.md sections 1, 3, 4, 5 and 7.
"""

from __future__ import annotations

import re

from attrs import frozen
from lxml import etree

from pchat.errors import SipRefused
from pchat.frontend.containers import GREATEST_CONTAINER, Member, MembershipChange, MemberType
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.markup import children, local_name, payload_of, read_document
from pchat.frontend.publications import ExpireType, PublicationKey, PublicationRequest
from pchat.sip.uri import address_key

#: What the store's 64-bit column holds.
GREATEST_NUMBER = 2**63 - 1
#: Seconds: a century, so that the sum with the present still fits a date.
GREATEST_EXPIRES = 3_155_760_000
#: Clients' category names have up to 20 characters, their registered ones have no more than 256.
NAME_CHARACTERS = 256
#: A SIP URI in these documents; longer ones belong to nobody here.
URI_CHARACTERS = 1024
_NUMBER = re.compile(r"[0-9]{1,19}")


@frozen
class PublishRequest:
    """A category-publish document.

    Args:
        uri: Whose publications these are said to be.
        items: Its publication elements, in order.
    """

    uri: str
    items: tuple[PublicationRequest, ...]


@frozen
class BatchSubscribe:
    """What a presence subscription asks for.

    Args:
        uri: The ``uri`` of the document, as written: name of the resource list.
        added: URIs to watch, as written, each once.
        removed: URIs no longer to be watched.
        categories: Names of the categories wanted; empty if the document names none.
    """

    uri: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    categories: tuple[str, ...]


def contact_key(uri: str) -> str:
    """Fold the URI of a contact for comparison; one that is none is a contact that nobody knows."""
    try:
        return address_key(uri)
    except SipRefused:
        return uri.casefold()


def _root(body: bytes, name: str, limits: PresenceLimits) -> etree._Element:
    root = read_document(body, limits.request_bytes)
    if local_name(root) != name:
        raise SipRefused(400, f"root element is not {name}")
    return root


def _text(element: etree._Element, name: str, longest: int) -> str:
    value = element.get(name)
    if not value:
        raise SipRefused(400, f"attribute {name} is missing")
    if len(value) > longest:
        raise SipRefused(400, f"attribute {name} is too long")
    return value


def _number(element: etree._Element, name: str, greatest: int) -> int:
    value = element.get(name)
    if value is None:
        raise SipRefused(400, f"attribute {name} is missing")
    if not _NUMBER.fullmatch(value.strip()):
        raise SipRefused(400, f"attribute {name} is not a number")
    number = int(value)
    if number > greatest:
        raise SipRefused(400, f"attribute {name} is out of range")
    return number


def _optional_number(element: etree._Element, name: str, greatest: int) -> int | None:
    return None if element.get(name) is None else _number(element, name, greatest)


def read_publish(body: bytes, limits: PresenceLimits) -> PublishRequest:
    """Read a category-publish document.

    Raises:
        SipRefused: 400 malformed, or a publication twice; 413 over a limit.

    Source: docs/spec/presence.md section 1.
    """
    lists = children(_root(body, "publish", limits), "publications")
    if len(lists) != 1:
        raise SipRefused(400, "there must be one publications element")
    elements = children(lists[0], "publication")
    if len(elements) > limits.publications:
        raise SipRefused(413, "too many publications")
    items = tuple(_read_publication(element) for element in elements)
    if len({item.key for item in items}) != len(items):
        raise SipRefused(400, "duplicate publication")
    return PublishRequest(_text(lists[0], "uri", URI_CHARACTERS), items)


def _read_publication(element: etree._Element) -> PublicationRequest:
    key = PublicationKey(
        _text(element, "categoryName", NAME_CHARACTERS),
        _number(element, "container", GREATEST_CONTAINER),
        _number(element, "instance", GREATEST_NUMBER),
    )
    try:
        expire_type = ExpireType(element.get("expireType", "endpoint"))
    except ValueError as error:
        raise SipRefused(400, "expireType is unknown") from error
    expires = _optional_number(element, "expires", GREATEST_EXPIRES)
    if expire_type is ExpireType.TIME and expires is None:
        raise SipRefused(400, "attribute expires is missing")
    payloads = [child for child in element if isinstance(child.tag, str)]
    if len(payloads) > 1:
        raise SipRefused(400, "publication holds more than one element")
    version = _optional_number(element, "version", GREATEST_NUMBER - 1) or 0
    payload = payload_of(payloads[0]) if payloads and expires != 0 else b""
    return PublicationRequest(key, version, expire_type, expires, payload)


def read_members(body: bytes, limits: PresenceLimits) -> tuple[MembershipChange, ...]:
    """Read a setContainerMembers document.

    Raises:
        SipRefused: 400 malformed; 413 over a limit.

    Source: docs/spec/presence.md section 4.
    """
    elements = children(_root(body, "setContainerMembers", limits), "container")
    if len(elements) > limits.containers:
        raise SipRefused(413, "too many containers")
    return tuple(_read_container(element, limits) for element in elements)


def _read_container(element: etree._Element, limits: PresenceLimits) -> MembershipChange:
    members = children(element, "member")
    if len(members) > 2 * limits.members:
        raise SipRefused(413, "too many members in a container")
    return MembershipChange(
        _number(element, "id", GREATEST_CONTAINER),
        _optional_number(element, "version", GREATEST_NUMBER - 1) or 0,
        tuple(_read_step(member) for member in members),
    )


def _read_step(element: etree._Element) -> tuple[bool, Member]:
    action = element.get("action")
    if action not in ("add", "delete"):
        raise SipRefused(400, "action is neither add nor delete")
    try:
        kind = MemberType(element.get("type", ""))
    except ValueError as error:
        raise SipRefused(400, "member type is unknown") from error
    value = _text(element, "value", URI_CHARACTERS) if kind.named else ""
    return action == "add", Member(kind, value[4:] if value[:4].lower() == "sip:" else value)


def read_roaming_list(body: bytes, limits: PresenceLimits) -> frozenset[str]:
    """Read which parts of the own presence a self subscription asks for; unknown ones are left in.

    Raises:
        SipRefused: 400 malformed; 413 too long.

    Source: docs/spec/presence.md section 3.
    """
    root = _root(body, "roamingList", limits)
    return frozenset(
        element.get("type", "") for element in root if local_name(element) in ("roaming", "roamingEx")
    )


def read_setting_groups(body: bytes, limits: PresenceLimits) -> frozenset[str] | None:
    """Read which groups of settings a provisioning subscription asks for.

    Returns:
        Their names; None if the document names none, which asks for all.

    Raises:
        SipRefused: 400 malformed; 413 too long.

    Source: docs/spec/xccos.md section 7.1.
    """
    root = read_document(body, limits.request_bytes)
    names = frozenset(
        element.get("name", "") for element in root.iter() if local_name(element) == "provisioningGroup"
    )
    return names or None


def read_batch(body: bytes, limits: PresenceLimits) -> BatchSubscribe:
    """Read a batch subscription.

    Raises:
        SipRefused: 400 malformed; 413 over a limit.

    Source: docs/spec/presence.md section 5.
    """
    root = _root(body, "batchSub", limits)
    added: dict[str, str] = {}
    removed: dict[str, str] = {}
    categories: dict[str, None] = {}
    for action in children(root, "action"):
        name = action.get("name")
        if name not in ("subscribe", "unsubscribe"):
            raise SipRefused(400, "action is neither subscribe nor unsubscribe")
        wanted, other = (added, removed) if name == "subscribe" else (removed, added)
        for uri in _resources(action):
            key = contact_key(uri)
            wanted.setdefault(key, uri)
            other.pop(key, None)
        for group in children(action, "categoryList"):
            categories.update(
                (_text(child, "name", NAME_CHARACTERS), None) for child in children(group, "category")
            )
    if len(added) > limits.contacts or len(categories) > limits.categories:
        raise SipRefused(413, "subscription asks for too much")
    return BatchSubscribe(
        root.get("uri", ""), tuple(added.values()), tuple(removed.values()), tuple(categories)
    )


def _resources(action: etree._Element) -> list[str]:
    return [
        _text(resource, "uri", URI_CHARACTERS)
        for group in children(action, "adhocList")
        for resource in children(group, "resource")
    ]
