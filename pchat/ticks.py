"""Server time as integers: 100 ns ticks since 0001-01-01 UTC, and their ISO 8601 text.

Source: docs/spec/persistent-chat-server.md sections 2.5 and 8.5.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
#: Ticks from 0001-01-01 to 1970-01-01 UTC.
UNIX_EPOCH = 621_355_968_000_000_000


def from_unix(seconds: float) -> int:
    """Turn seconds since 1970 into ticks.

    Args:
        seconds: Seconds since 1970-01-01 UTC, such as ``IReactorTime.seconds()`` of a real reactor.

    Returns:
        Ticks of 100 ns since 0001-01-01 UTC.
    """
    return UNIX_EPOCH + round(seconds * TICKS_PER_SECOND)


def to_unix(ticks: int) -> float:
    """Turn ticks into seconds since 1970-01-01 UTC."""
    return (ticks - UNIX_EPOCH) / TICKS_PER_SECOND


def to_iso(ticks: int) -> str:
    """Write ticks as clients read them: ``2010-09-14T14:26:17.6206356Z`` (always seven digits)."""
    seconds, fraction = divmod(ticks - UNIX_EPOCH, TICKS_PER_SECOND)
    stamp = datetime.fromtimestamp(seconds, UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{fraction:07d}Z"


def from_iso(text: str) -> int:
    """Read ISO 8601, with any number of fraction digits; without a zone it is UTC.

    Raises:
        ValueError: The text is no date and time, or its zone leads out of the years 1 to 9999.
    """
    head, dot, tail = text.strip().partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))] if dot else ""
    zone = tail[len(digits) :] if dot else ""
    stamp = datetime.fromisoformat(head + zone)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    try:
        whole = int(stamp.astimezone(UTC).timestamp())
    except OverflowError as error:
        raise ValueError(str(error)) from error
    return UNIX_EPOCH + whole * TICKS_PER_SECOND + int((digits + "0000000")[:7])


def end_from_iso(text: str) -> int:
    """Read ISO 8601 as an end that is included: a date without a time of day stands for the whole day.

    Raises:
        ValueError: The text is no date and time.
    """
    start = from_iso(text)
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return start
    return start + TICKS_PER_DAY - 1
