"""What operators set: the value that is in force at first, and how far each may go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import AdministrationRefused
from pchat.rooms.settings import Settings, check_setting, names
from pchat.xccos.codes import ResponseCode

UINT32 = 2**32 - 1

#: By name: the value at first, the lowest and the highest.
NUMBERS = {
    "participant-update-limit": (75, 0, UINT32),
    "default-history": (30, 1, 500),
    "message-size-limit": (8_000, 1, 65_536),
    "story-size-limit": (65_536, 1, 262_144),
    "search-limit": (999, 1, 10_000),
    "max-file-size-kb": (20_000, 0, UINT32),
    "ace-limit": (2_000_000, 0, UINT32),
    "invitation-limit": (2_000_000, 0, UINT32),
}


class RangeTests(SynchronousTestCase):
    """Sections 9 and 15 of docs/spec/persistent-chat-server.md."""

    def test_first_values(self) -> None:
        """A new server has the values of the reference server, where they are known."""
        self.assertEqual(
            {name: first for name, (first, _, _) in NUMBERS.items()} | {"room-management-url": ""},
            Settings().shown(),
        )

    def test_ends(self) -> None:
        """The lowest and the highest are taken, what is beyond either is not."""
        self.assertEqual({*NUMBERS, "room-management-url"}, set(names()))
        for name, (_, lowest, highest) in NUMBERS.items():
            self.assertEqual(
                (lowest, highest), (check_setting(name, str(lowest)), check_setting(name, str(highest)))
            )
            for beyond in (lowest - 1, highest + 1):
                with self.assertRaises(AdministrationRefused) as caught:
                    check_setting(name, str(beyond))
                self.assertIs(caught.exception.code, ResponseCode.ERROR_INVALID_ARGUMENT)
