"""One availability from what all endpoints of a user say. No I/O.

Source: docs/spec/presence.md section 5 (availability, aggregate).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from itertools import islice

from attrs import frozen

from pchat.frontend.markup import children, escape, parse_payload, schema_type
from pchat.frontend.publications import SERVER, Publication

AVAILABLE = 3500
OFFLINE = 18500
#: From here on a state that the user chose by hand beats what his machines say.
BUSY = 6000
CATEGORY = "state"
NAMESPACE = "http://schemas.microsoft.com/2006/09/sip/state"
#: Containers whose state rows are input, and those that get the result.
SOURCES = {2: (2, 100, 200, 400), 3: (300,)}
_DIGITS = re.compile(r"\s*(\d{1,5})\s*")


class StateKind(Enum):
    """What a state row speaks of; the values are those of xsi:type."""

    USER = "userState"
    MACHINE = "machineState"
    CALENDAR = "calendarState"
    PHONE = "phoneState"


#: First digit of the instance, for clients that leave out xsi:type.
_KIND_OF_INSTANCE = {
    0x2: StateKind.USER,
    0x3: StateKind.MACHINE,
    0x4: StateKind.CALENDAR,
    0x8: StateKind.PHONE,
}


@frozen
class State:
    """Availability and, where it is told, what the user is doing."""

    availability: int
    activity: str = ""

    def payload(self) -> bytes:
        """Write the element that goes inside a state category."""
        activity = f'<activity token="{escape(self.activity)}"/>' if self.activity else ""
        return (
            '<state xsi:type="aggregateState" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            f' xmlns="{NAMESPACE}"><availability>{self.availability}</availability>{activity}</state>'
        ).encode()


OFFLINE_STATE = State(OFFLINE)
#: State rows of one container that are looked at: 32 endpoints have two each, and all are read each time.
MAX_ROWS = 64
#: Longest state payload that is looked at, bytes; real ones have some 600.
MAX_PAYLOAD = 4096


def read_state(row: Publication) -> tuple[StateKind, State] | None:
    """Read a state row; None if it does not say what it is or how available the user is."""
    root = parse_payload(row.payload) if len(row.payload) <= MAX_PAYLOAD else None
    if root is None:
        return None
    try:
        kind = StateKind(schema_type(root))
    except ValueError:
        known = _KIND_OF_INSTANCE.get(row.key.instance >> 28)
        if known is None:
            return None
        kind = known
    for element in children(root, "availability"):
        digits = _DIGITS.fullmatch(element.text or "")
        if digits is not None:
            tokens = [activity.get("token") or "" for activity in children(root, "activity")]
            return kind, State(int(digits[1]), tokens[0][:64] if tokens else "")
    return None


def aggregate(rows: Iterable[Publication], online: bool) -> State:
    """Tell how available a user is.

    Args:
        rows: State rows of one container that serves as input.
        online: Whether he has any endpoint.

    Source: docs/spec/presence.md section 5 ("Aggregate, minimal").
    """
    if not online:
        return OFFLINE_STATE
    states: dict[StateKind, list[State]] = {kind: [] for kind in StateKind}
    for row in islice(rows, MAX_ROWS):
        found = read_state(row)
        if found is not None:
            states[found[0]].append(found[1])
    chosen = max(states[StateKind.USER], key=lambda state: state.availability, default=None)
    if chosen is not None and chosen.availability >= BUSY:
        return chosen
    machine = min(states[StateKind.MACHINE], key=lambda state: state.availability, default=State(AVAILABLE))
    busiest = max(
        states[StateKind.CALENDAR] + states[StateKind.PHONE],
        key=lambda state: state.availability,
        default=machine,
    )
    return max(machine, busiest, key=lambda state: state.availability)


def aggregates(rows: Iterable[Publication], online: bool) -> dict[int, State]:
    """Tell the aggregate of each container that has one.

    Args:
        rows: All rows of the category state.
        online: Whether the user has any endpoint.
    """
    by_source: dict[int, list[Publication]] = {source: [] for source in SOURCES}
    for row in rows:
        if row.key.container in by_source and row.owner != SERVER:
            by_source[row.key.container].append(row)
    # Many clients publish to container 2 only.
    by_source[3] = by_source[3] or by_source[2]
    return {
        target: aggregate(by_source[source], online)
        for source, targets in SOURCES.items()
        for target in targets
    }
