"""The delay for wrong passwords."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth import throttle as module
from pchat.auth.throttle import LoginThrottle


class LoginThrottleTest(SynchronousTestCase):
    """Delays grow per account and source, and are forgotten."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = LoginThrottle(self.clock)

    def test_delays_grow_and_stay_under_a_minute(self) -> None:
        """1, 2, 4, … seconds, never 60, however often."""
        delays = [self.throttle.failed("alice", "192.0.2.1") for _ in range(100)]
        self.assertEqual(delays[:7], [1, 2, 4, 8, 16, 32, 59])
        self.assertEqual(set(delays[7:]), {59.0})

    def test_other_accounts_and_sources_are_not_slowed(self) -> None:
        """Somebody else's wrong passwords do not lock an account out elsewhere."""
        for _ in range(5):
            self.throttle.failed("alice", "192.0.2.1")
        self.assertEqual(self.throttle.wait("alice", "192.0.2.2"), 0)
        self.assertEqual(self.throttle.wait("bob", "192.0.2.1"), 0)
        self.assertEqual(self.throttle.failed("alice", "192.0.2.2"), 1)

    def test_wait_counts_down(self) -> None:
        """The next attempt must wait what is left of the delay."""
        self.throttle.failed("alice", "192.0.2.1")
        self.throttle.failed("alice", "192.0.2.1")
        self.clock.advance(0.5)
        self.assertEqual(self.throttle.wait("alice", "192.0.2.1"), 1.5)
        self.clock.advance(2)
        self.assertEqual(self.throttle.wait("alice", "192.0.2.1"), 0)

    def test_forgotten_after_success_or_quiet(self) -> None:
        """A right password, or a quarter of an hour without a wrong one, begins at one second again."""
        self.throttle.failed("alice", "192.0.2.1")
        self.throttle.succeeded("alice", "192.0.2.1")
        self.throttle.succeeded("nobody", "192.0.2.1")
        self.assertEqual(self.throttle.failed("alice", "192.0.2.1"), 1)
        self.clock.advance(module.QUIET_SECONDS)
        self.assertEqual(self.throttle.failed("alice", "192.0.2.1"), 1)

    def test_one_machine_has_one_ipv6_network(self) -> None:
        """Addresses of one /64 are one source; an IPv4 address in IPv6 form is the IPv4 address."""
        self.throttle.failed("alice", "2001:db8::1")
        self.assertEqual(self.throttle.failed("alice", "2001:db8::ffff:2"), 2)
        self.assertEqual(self.throttle.failed("alice", "2001:db8:0:1::1"), 1)
        self.throttle.failed("alice", "192.0.2.1")
        self.assertEqual(self.throttle.failed("alice", "::ffff:192.0.2.1"), 2)
        self.throttle.failed("alice", "local")
        self.assertEqual(self.throttle.failed("alice", "local"), 2)

    def test_memory_is_bounded(self) -> None:
        """A flood of names drops the oldest entries, keeps the newest, and never exceeds the bound."""
        self.patch(module, "MAX_ENTRIES", 10)
        for number in range(50):
            self.throttle.failed(f"user{number}", "192.0.2.1")
        self.assertEqual(len(self.throttle), 10)
        self.assertGreater(self.throttle.wait("user49", "192.0.2.1"), 0)
        self.assertEqual(self.throttle.wait("user3", "192.0.2.1"), 0)

    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.floats(0, 2000)), max_size=40)
    )
    def test_against_a_model(self, events: list[tuple[str, str, float]]) -> None:
        """Any order of failures gives what counting per pair since the last quiet time gives."""
        clock = Clock()
        throttle = LoginThrottle(clock)
        model: dict[tuple[str, str], tuple[int, float]] = {}
        for account, source, pause in events:
            clock.advance(pause)
            count, last = model.get((account, source), (0, 0.0))
            if clock.seconds() - last >= module.QUIET_SECONDS:
                count = 0
            model[(account, source)] = (count + 1, clock.seconds())
            self.assertEqual(throttle.failed(account, source), min(2.0**count, 59.0))
