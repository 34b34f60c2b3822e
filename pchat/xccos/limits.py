"""How much a peer may put into one envelope and one command."""

from __future__ import annotations

from attrs import frozen


@frozen
class XmlLimits:
    """What `pchat.xccos.parser.parse_envelope` accepts.

    Args:
        body_bytes: Bytes of one INFO body, by default as in ``[sip.limits]`` (`pchat.config.sections`). The
            longest thing a client sends is a story with its formatting, about half of this.
        depth: Levels of elements, the root counted. The deepest known form has six
            (``xccos/cmd/data/role/add`` and ``…/bcq/…``); beyond is an attack on recursive readers.
        elements: Elements in one document. The largest useful one is a bulk join: one element a room.
        attributes: Attributes on one element. The richest known element has twelve.
        items: Commands and posts in one envelope. Clients send one; each may cost a transaction.
        identifier_chars: Characters of ``envid`` and ``seqid``, 64-bit decimals that are echoed unread.
        name_chars: Characters of a command's name, which is echoed and logged.
        uri_chars: Characters of the room URI of a post.

    Source: docs/spec/xccos.md sections 2.1, 2.2 and 3.9.
    """

    body_bytes: int = 1 << 20
    depth: int = 16
    elements: int = 5_000
    attributes: int = 64
    items: int = 32
    identifier_chars: int = 64
    name_chars: int = 64
    uri_chars: int = 1_024


@frozen
class CommandLimits:
    """What the arguments of one command may be.

    Args:
        rooms: Rooms in one bulk join or history query; pidgin-sipe joins all windows it had open in one.
        authors: Authors in one history query.
        principals: Entries to add and remove in one change of role lists.
        uri_chars: Characters of any URI.
        criteria_chars: Characters of a search text; no name is longer than 256.
        topic_entries: Words, and people, of one topic feed.
        topic_word_chars: Characters of a word or phrase of a topic feed.
        label_chars: Characters of the label of a preference.
        preference_bytes: Bytes of a preference's content, decoded.
        preference_labels: Preferences of one user.

    Source: docs/spec/xccos.md sections 3.4, 3.5, 3.8 and 3.13.
    """

    rooms: int = 1_000
    authors: int = 100
    principals: int = 1_000
    uri_chars: int = 1_024
    criteria_chars: int = 256
    topic_entries: int = 50
    topic_word_chars: int = 64
    label_chars: int = 255
    preference_bytes: int = 65_536
    preference_labels: int = 200


DEFAULT_XML_LIMITS = XmlLimits()
DEFAULT_COMMAND_LIMITS = CommandLimits()
