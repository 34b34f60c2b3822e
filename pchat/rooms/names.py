"""Names of rooms and categories: what may be one, and when two of them are the same."""

from __future__ import annotations

import re
import unicodedata

from pchat.errors import AdministrationRefused
from pchat.xccos.codes import ResponseCode

#: Limit L-1: the reference server keeps names and descriptions in nvarchar(256).
NAME_CHARACTERS = 256
#: Control characters, lone surrogates, line and paragraph separators: none can be shown in one line.
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: XML 1.0 cannot carry these two, so a client could never be told the name.
FORBIDDEN_CHARACTERS = frozenset({"\ufffe", "\uffff"})
#: These turn round what stands beside a name in a list or a terminal; people write names without them.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
#: Characters that nobody sees by themselves: they make no other name.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
#: One @ with something on both sides of it, and no blanks.
_MAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def fold(text: str) -> str:
    """Fold a name to what is compared: equal results mean the same name.

    Args:
        text: A name, any Unicode normal form and case.

    Returns:
        The canonical caseless form, composed (NFC), without default ignorable code points, such as zero width
        characters, and blanks that these had hidden at the ends.

    Source: Unicode 15, sections 3.13 (D145) and 5.21; docs/spec/persistent-chat-server.md section 2.1 (M-3).
    """
    if text.isascii():
        # What most names are, and five times as fast: searches fold hundreds of thousands of them.
        return text.lower()
    seen = _UNSEEN.sub("", text)
    if seen != text:
        text = seen.strip()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", folded)


def check_name(text: str, what: str, most: int = NAME_CHARACTERS) -> str:
    """Bring a name to the form that is stored, or refuse it.

    Args:
        text: What the operator or the client typed.
        what: What it is the name of, for the refusal: ``room`` or ``category``.
        most: Characters that it may have.

    Returns:
        The name in NFC, without blanks around it, not empty.

    Raises:
        AdministrationRefused: Nothing to see, too long, or characters that cannot stand in a name.

    Source: docs/spec/persistent-chat-server.md sections 2.1 (M-3) and 15 (L-1).
    """
    name = _check_line(text, f"the {what} name", most)
    turning = _TURNING.search(name)
    if turning is not None:
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"the {what} name holds the character U+{ord(turning[0]):04X}, which reverses text beside it",
        )
    if not fold(name):
        raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, f"the {what} name is empty")
    return name


def check_description(text: str, what: str = "description") -> str:
    """Bring a description, or another line that may be empty, to the form that is stored, or refuse it.

    Args:
        text: What the operator or the client typed.
        what: What it is, for the refusal.

    Raises:
        AdministrationRefused: Too long, or characters that cannot stand in one line.

    Source: docs/spec/persistent-chat-server.md section 15 (L-1).
    """
    return _check_line(text, f"the {what}")


def check_mail_address(text: str) -> str:
    """Bring a mail address, which may be empty, to the form that is stored, or refuse it.

    Only what is plainly none is refused: whether somebody reads mail there is not ours to know.

    Args:
        text: What the operator typed.

    Raises:
        AdministrationRefused: Not NAME@DOMAIN, too long, or characters that cannot stand in one line.

    Source: RFC 5322 section 3.4.1 (addr-spec).
    """
    line = check_description(text, "mail address")
    if line and not _MAIL_ADDRESS.fullmatch(line):
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT, f"the mail address must be NAME@DOMAIN, not {line[:80]!r}"
        )
    return line


def _check_line(text: str, what: str, most: int = NAME_CHARACTERS) -> str:
    # Checked before anything else is computed on it, so that a megabyte costs nothing.
    if len(text) > 4 * NAME_CHARACTERS:
        raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, f"{what} is too long")
    line = unicodedata.normalize("NFC", text).strip()
    if len(line) > most:
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"{what} has {len(line)} characters; at most {most} are allowed",
        )
    for character in line:
        if character in FORBIDDEN_CHARACTERS or unicodedata.category(character) in FORBIDDEN_CATEGORIES:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                f"{what} holds the character U+{ord(character):04X}, which cannot be shown",
            )
    return line
