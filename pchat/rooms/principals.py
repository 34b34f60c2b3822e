"""How administrators and clients name people, groups and domains."""

from __future__ import annotations

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal, PrincipalKind
from pchat.errors import AdministrationRefused
from pchat.rooms.names import NAME_CHARACTERS, fold
from pchat.xccos.codes import ResponseCode


def principal_named(directory: LocalDirectory, text: str) -> Principal | None:
    """Find who is meant by an address, a group or a domain; removed principals are not found.

    What could be read in several ways is, in this order: a user's address, a group's ``ma-grp:`` URI, the
    name of a group, a domain.

    Args:
        directory: Who there is.
        text: What somebody typed.
    """
    found = directory.by_uri(text)
    # A key with this sign is a user's or a group's, never a domain's.
    if found is not None and "@" in found.key:
        return found
    return group_named(directory, text) or found


def group_named(directory: LocalDirectory, text: str) -> Principal | None:
    """Find a group by its name, whatever its case and normal form."""
    name = text.strip()
    # No name is longer; and folding a megabyte takes its time.
    return directory.group_by_name(fold(name)) if 0 < len(name) <= 4 * NAME_CHARACTERS else None


def known_group(directory: LocalDirectory, text: str) -> Principal:
    """Find a group by its ``ma-grp:`` URI or its name.

    Raises:
        AdministrationRefused: There is none.
    """
    found = directory.by_uri(text)
    if found is None or found.kind is not PrincipalKind.GROUP:
        found = group_named(directory, text)
    if found is None:
        raise AdministrationRefused(ResponseCode.ERROR_NO_SUCH_PRINCIPAL, f"there is no group {text[:80]!r}")
    return found


def unknown_principal(text: str) -> AdministrationRefused:
    """Make the refusal for a principal that does not exist."""
    return AdministrationRefused(
        ResponseCode.ERROR_NO_SUCH_PRINCIPAL, f"there is no user, group or domain {text[:80]!r}"
    )
