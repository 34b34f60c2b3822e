"""The settings of the channel service that operators change while it runs, with their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, fields, frozen
from twisted.logger import Logger

from pchat.errors import AdministrationRefused
from pchat.xccos.codes import ResponseCode

log = Logger()

UINT32 = 0xFFFF_FFFF
#: Bytes that the limit of a message may be set to.
LARGEST_MESSAGE = 65_536


@frozen
class WholeNumber:
    """A setting that is a whole number within a range, both ends included."""

    low: int
    high: int

    @property
    def range(self) -> str:
        """Both ends, for a person."""
        return f"{self.low} to {self.high}"

    def read(self, name: str, text: str) -> int:
        """Read what the operator typed.

        Raises:
            AdministrationRefused: No whole number, or out of range.
        """
        digits = text.strip()
        if (
            digits.isascii()
            and digits.isdecimal()
            and len(digits) <= 10
            and self.low <= int(digits) <= self.high
        ):
            return int(digits)
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"{name} must be a whole number from {self.low} to {self.high}, not {text[:40]!r}",
        )


@frozen
class WebAddress:
    """A setting that is an http or https address.

    Args:
        length: Characters at most; as many as an add-in's address may have (L-2).
        required: Whether it must not be empty.
    """

    length: int = 255
    required: bool = False

    @property
    def range(self) -> str:
        """Nothing: it is no number."""
        return ""

    def read(self, name: str, text: str) -> str:
        """Read what the operator typed.

        Raises:
            AdministrationRefused: No absolute http or https address.
        """
        address = text.strip()
        if not address and not self.required:
            return ""
        try:
            parts = urlsplit(address)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            good = False
        if not good or len(address) > self.length or not address.isascii() or not address.isprintable():
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                f"{name} must be an http:// or https:// address, at most {self.length} characters"
                + ("" if self.required else ", or empty"),
            )
        return address


def _setting(default: Any, form: WholeNumber | WebAddress, meaning: str) -> Any:
    """Describe a setting: what it may be, and for ``pchatctl config show`` what it counts and bounds."""
    return field(
        default=default, metadata={"form": form, "meaning": "; ".join(filter(None, (meaning, form.range)))}
    )


@define
class Settings:
    """The values in force; one object for the whole server, changed in place.

    Args:
        participant_update_limit: Users in a room above which join and part are no longer told.
        default_history: Messages that a joiner is given.
        message_size_limit: UTF-8 bytes of a message.
        story_size_limit: UTF-8 bytes of a message that begins with ``[STORY]``.
        search_limit: Hits that any query returns at most.
        max_file_size_kb: Size of a file, in units of 1 024 bytes.
        ace_limit: Entries in the scopes and role lists of the whole pool.
        invitation_limit: Invitations that wait in the whole pool.
        room_management_url: Page for room management; empty means the built-in one.

    Source: docs/spec/persistent-chat-server.md sections 9 and 15; the sizes are our own choice.
    """

    participant_update_limit: int = _setting(
        75, WholeNumber(0, UINT32), "users in a room above which joins and parts are not told"
    )
    default_history: int = _setting(30, WholeNumber(1, 500), "messages that who joins a room is given")
    # The body limit of a SIP message must hold the largest message with its RTF.
    message_size_limit: int = _setting(
        8_000, WholeNumber(1, LARGEST_MESSAGE), "bytes of a message's text in UTF-8"
    )
    story_size_limit: int = _setting(
        65_536, WholeNumber(1, 262_144), "bytes of a text that begins with [STORY]"
    )
    search_limit: int = _setting(999, WholeNumber(1, 10_000), "messages that a query finds at most")
    max_file_size_kb: int = _setting(20_000, WholeNumber(0, UINT32), "1024 bytes of a file")
    ace_limit: int = _setting(
        2_000_000, WholeNumber(0, UINT32), "entries in the scopes and role lists of all rooms"
    )
    invitation_limit: int = _setting(
        2_000_000, WholeNumber(0, UINT32), "invitations that are kept for all users"
    )
    room_management_url: str = _setting("", WebAddress(), "page for room management; empty: the built-in one")

    def load(self, stored: Mapping[str, str]) -> None:
        """Take over what the store has; what it does not have gets its default.

        Args:
            stored: By name with hyphens, as `apply` is given them. A newer server of the pool may have
                settings and ranges that this one does not know; those of its values stay out of force here.
        """
        for attribute in fields(Settings):
            setattr(self, attribute.name, attribute.default)
        for name, text in stored.items():
            if name in names():
                try:
                    self.apply(name, text)
                except AdministrationRefused as error:
                    value = getattr(self, _attribute(name))
                    log.warn(
                        "stored setting left out, {value} is in force: {error}", value=value, error=str(error)
                    )

    def apply(self, name: str, text: str) -> None:
        """Change one setting.

        Raises:
            AdministrationRefused: No such setting, or not a value of it.
        """
        setattr(self, _attribute(name), check_setting(name, text))

    def reset(self, name: str) -> None:
        """Give one setting its default again."""
        attribute = next(known for known in fields(Settings) if known.name == _attribute(name))
        setattr(self, attribute.name, attribute.default)

    def shown(self) -> dict[str, int | str]:
        """Tell all settings by name with hyphens, in the order of this class."""
        return {_option(attribute.name): getattr(self, attribute.name) for attribute in fields(Settings)}


def names() -> list[str]:
    """Tell the names of all settings, with hyphens, as operators type them."""
    return [_option(attribute.name) for attribute in fields(Settings)]


@frozen
class About:
    """What an operator is told about a setting.

    Args:
        default: The value while nobody has set one.
        meaning: What it counts and bounds, and what it may be.
    """

    default: str
    meaning: str


def described() -> dict[str, About]:
    """Explain all settings, by name with hyphens."""
    return {
        _option(attribute.name): About(str(attribute.default), attribute.metadata["meaning"])
        for attribute in fields(Settings)
    }


def check_setting(name: str, text: str) -> int | str:
    """Read a value of a setting without applying it.

    Raises:
        AdministrationRefused: No such setting, or not a value of it.
    """
    option = option_of(name)
    attribute = next(known for known in fields(Settings) if _option(known.name) == option)
    value: int | str = attribute.metadata["form"].read(option, text)
    return value


def option_of(name: str) -> str:
    """Tell a setting's name as it is stored, however it was written.

    Raises:
        AdministrationRefused: There is no such setting.
    """
    option = _option(_attribute(name))
    if option not in names():
        raise AdministrationRefused(
            ResponseCode.ERROR_INVALID_ARGUMENT,
            f"there is no setting {name[:40]!r}; the settings are {', '.join(names())}",
        )
    return option


def _attribute(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _option(name: str) -> str:
    return name.replace("_", "-")
