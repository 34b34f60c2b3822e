"""Names of rooms and categories: what may be one, and when two of them are the same."""

from __future__ import annotations

import unicodedata

from pchat.errors import AdministrationRefused
from pchat.xccos.codes import ResponseCode

#: Limit L-1: the reference server keeps names and descriptions in nvarchar(256).
NAME_CHARACTERS = 256
#: Control characters, lone surrogates, line and paragraph separators: none can be shown in one line.
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: XML 1.0 cannot carry these two, so a client could never be told the name.
FORBIDDEN_CHARACTERS = frozenset({"\ufffe", "\uffff"})


def fold(text: str) -> str:
    """Fold a name to what is compared: equal results mean the same name.

    Args:
        text: A name, any Unicode normal form and case.

    Returns:
        The canonical caseless form, composed (NFC).

    Source: Unicode 15, section 3.13, D145; docs/spec/persistent-chat-server.md section 2.1 (M-3).
    """
    if text.isascii():
        # What most names are, and five times as fast: searches fold hundreds of thousands of them.
        return text.lower()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", folded)


def check_name(text: str, what: str) -> str:
    """Bring a name to the form that is stored, or refuse it.

    Args:
        text: What the operator or the client typed.
        what: What it is the name of, for the refusal: ``room`` or ``category``.

    Returns:
        The name in NFC, without blanks around it, 1 to 256 characters.

    Raises:
        AdministrationRefused: Empty, too long, or characters that cannot stand in a name.

    Source: docs/spec/persistent-chat-server.md sections 2.1 (M-3) and 15 (L-1).
    """
    name = _check_line(text, f"the {what} name")
    if not name:
        raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, f"the {what} name is empty")
    return name


def check_description(text: str) -> str:
    """Bring a description to the form that is stored (it may be empty), or refuse it.

    Raises:
        AdministrationRefused: Too long, or characters that cannot stand in one line.

    Source: docs/spec/persistent-chat-server.md section 15 (L-1).
    """
    return _check_line(text, "the description")


def _check_line(text: str, what: str) -> str:
    # Checked before anything else is computed on it, so that a megabyte costs nothing.
    if len(text) > 4 * NAME_CHARACTERS:
        raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, f"{what} is too long")
    line = unicodedata.normalize("NFC", text).strip()
    if len(line) > NAME_CHARACTERS:
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"{what} has {len(line)} characters; at most {NAME_CHARACTERS} are allowed",
        )
    for character in line:
        if character in FORBIDDEN_CHARACTERS or unicodedata.category(character) in FORBIDDEN_CATEGORIES:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                f"{what} holds the character U+{ord(character):04X}, which cannot be shown",
            )
    return line
