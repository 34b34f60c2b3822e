"""``pchatctl test-message`` against a real server: what an operator's monitoring sees."""

from __future__ import annotations

import json
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.real_client_case import server_for
from tests.integration.server_process import ServerFailed, ServerProcess


class SyntheticTransactions(SynchronousTestCase):
    """Two users exchange a message through the real listener."""

    def setUp(self) -> None:
        self.server, _ = server_for(__name__)

    def address(self, name: str) -> str:
        """Tell the address of a demo account."""
        return f"sip:{name}@{self.server.domain}"

    def refusal(self, *arguments: str) -> str:
        """Run the command and give the one line that says what is wrong."""
        error = self.assertRaises(ServerFailed, self.server.ctl, "test-message", *arguments)
        return str(error)

    def test_a_message_gets_through(self) -> None:
        """With the demo's accounts nothing but the two names is needed; the latencies are told."""
        found = self.server.ctl("test-message", "--from", self.address("alice"), "--to", self.address("bob"))
        self.assertEqual(found["result"], "success")
        self.assertEqual(found["target"], self.server.sip)
        self.assertTrue(found["room"].startswith("ma-chan://"))
        self.assertTrue(found["accepted_ms"] > 0 and 0 < found["latency_ms"] < 30_000)

    def test_in_a_room(self) -> None:
        """The message goes to the room that is named, and stays there."""
        ops = self.server.ctl("room", "show", "Ops")["uri"]
        found = self.server.ctl(
            *("test-message", "--from", self.address("alice"), "--to", self.address("bob"), "--room", "Ops")
        )
        self.assertEqual(found["room"], ops)

    def test_who_may_not_join(self) -> None:
        """A user who is no member of the room is named with the reason; the exit status is 1."""
        told = self.refusal(
            *("--from", self.address("alice"), "--to", self.address("carol"), "--room", "Ops")
        )
        self.assertIn("carol", told)
        self.assertIn("403 ERROR_PERMISSION", told)

    def test_wrong_password(self) -> None:
        """A password that is wrong is told without being shown."""
        path = self.server.directory / "credentials.json"
        path.write_text(json.dumps({self.address("alice"): "not this one", self.address("bob"): "nor this"}))
        told = self.refusal(
            *("--from", self.address("alice"), "--to", self.address("bob"), "--credentials", str(path))
        )
        self.assertIn("the server refuses the password", told)
        self.assertNotIn("not this one", told)

    def test_foreign_authority(self) -> None:
        """A server whose certificate is not to be trusted gets no password."""
        authority = self.server.directory / "other.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
                *(
                    "-nodes",
                    "-days",
                    "1",
                    "-subj",
                    "/CN=other",
                    "-keyout",
                    "/dev/null",
                    "-out",
                    str(authority),
                ),
            ],
            check=True,
            capture_output=True,
        )
        told = self.refusal(
            *("--from", self.address("alice"), "--to", self.address("bob"), "--ca", str(authority))
        )
        self.assertIn("TLS failed", told)

    def test_nobody_listens(self) -> None:
        """Without a server the command says so."""
        other = ServerProcess("--demo")
        try:
            error = self.assertRaises(
                ServerFailed,
                other.ctl,
                *("test-message", "--from", self.address("alice"), "--to", self.address("bob")),
            )
            self.assertIn("does not listen", str(error))
        finally:
            other.discard()
