"""Arguments of the commands about topic feeds.

Source: docs/xccos-extensions.md ("Topic feeds").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from pchat.errors import CommandRefused
from pchat.xccos.arguments import attribute, boolean, max_results, number, one, refused
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import children

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|ego")


@frozen
class TopicList:
    """``gettopics``: all feeds of the user; no arguments."""


@frozen
class TopicDefinition:
    """``settopic``: a feed as its owner wants it.

    Args:
        guid: The feed, folded; None for a new one that the server gives a GUID.
        version: The version that the client knows; 0 for a feed that is new to it.
        name: Its name, not checked yet; None if it is not told.
        enabled: Whether it is to catch messages.
        words: Words and phrases without blanks around them, each once.
        people: URIs of authors as they were written, each once.
    """

    guid: str | None
    version: int
    name: str | None
    enabled: bool
    words: tuple[str, ...]
    people: tuple[str, ...]


@frozen
class TopicRemoval:
    """``deltopic``.

    Args:
        guid: The feed, folded.
        version: The version that the client knows; None if it is all the same to it.
    """

    guid: str
    version: int | None


@frozen
class HitList:
    """``gettopichits``.

    Args:
        max_results: Most hits wanted; None for all that the server allows.
    """

    max_results: int | None


def read_topic_list(data: Element | None, limits: CommandLimits) -> TopicList:
    """Read ``gettopics``, which has no arguments."""
    return TopicList()


def read_topic(data: Element | None, limits: CommandLimits) -> TopicDefinition:
    """Read ``settopic``."""
    topic = one(data, "topic")
    words = dict.fromkeys(_words(topic, limits))
    people = dict.fromkeys(attribute(person, "uri", limits.uri_chars) for person in children(topic, "uib"))
    if max(len(words), len(people)) > limits.topic_entries:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, "too many words or people in a feed")
    return TopicDefinition(
        guid=None if topic.get("guid") is None else _guid(topic),
        version=_version(topic) or 0,
        name=topic.get("name"),
        enabled=topic.get("enabled") is None or boolean(topic, "enabled"),
        words=tuple(words),
        people=tuple(people),
    )


def read_topic_removal(data: Element | None, limits: CommandLimits) -> TopicRemoval:
    """Read ``deltopic``."""
    topic = one(data, "topic")
    return TopicRemoval(_guid(topic), _version(topic))


def read_hit_list(data: Element | None, limits: CommandLimits) -> HitList:
    """Read ``gettopichits``; how many stands in an element ``hits``, which may be absent."""
    found = [] if data is None else [*children(data, "hits")]
    if len(found) > 1:
        raise refused("more than one hits")
    return HitList(max_results(found[0]) if found else None)


def _words(topic: Element, limits: CommandLimits) -> list[str]:
    words = [" ".join((word.text or "").split()) for word in children(topic, "word")]
    if not all(0 < len(word) <= limits.topic_word_chars for word in words):
        raise refused("a word is empty or too long")
    return words


def _guid(topic: Element) -> str:
    guid = attribute(topic, "guid", 64).lower()
    if not _GUID.fullmatch(guid):
        raise refused("not a GUID")
    return guid


def _version(topic: Element) -> int | None:
    version = number(topic, "version")
    if version is not None and version < 0:
        raise refused("version below 0")
    return version


READERS: dict[str, Reader] = {
    "gettopics": read_topic_list,
    "settopic": read_topic,
    "deltopic": read_topic_removal,
    "gettopichits": read_hit_list,
}
