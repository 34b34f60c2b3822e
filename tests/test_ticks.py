"""Times as people and clients write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat import ticks


class EndTests(SynchronousTestCase):
    """An end that is included."""

    def test_a_date_is_its_whole_day(self) -> None:
        """Up to the last tick before the next one begins."""
        for text in ("2026-01-31", " 2026-01-31 ", "20260131"):
            self.assertEqual("2026-01-31T23:59:59.9999999Z", ticks.to_iso(ticks.end_from_iso(text)))
        self.assertEqual("9999-12-31T23:59:59.9999999Z", ticks.to_iso(ticks.end_from_iso("9999-12-31")))

    def test_a_time_is_that_moment(self) -> None:
        """Midnight that is written out is midnight."""
        for text in ("2026-01-31T00:00:00Z", "2026-01-31T00:00", "2026-01-31T12:00:00.1234567+01:00"):
            self.assertEqual(ticks.from_iso(text), ticks.end_from_iso(text))

    def test_no_time(self) -> None:
        """What is no time is refused."""
        for text in ("", "soon", "2026-02-30", "12:00"):
            self.assertRaises(ValueError, ticks.end_from_iso, text)

    @given(st.dates(min_value=date(1, 1, 1), max_value=date(9999, 12, 30)))
    def test_the_next_day_begins_after_it(self, day: date) -> None:
        """No tick is between two days, and none in both."""
        following = date.fromordinal(day.toordinal() + 1)
        self.assertEqual(ticks.from_iso(following.isoformat()), ticks.end_from_iso(day.isoformat()) + 1)

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_what_was_written_is_read(self, moment: datetime) -> None:
        """A time of day is the same as a beginning and as an end."""
        text = moment.isoformat()
        self.assertEqual(ticks.from_iso(text), ticks.end_from_iso(text))
