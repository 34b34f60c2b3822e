"""The distributed pidgin-sipe client signs in, finds its rooms, talks, and survives a restart.

The client is driven by `tests.real_client`; the server is a process of its own with the configuration,
the authority and the demo accounts that ``pchatctl init --demo`` makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.integration.real_client_case import HISTORY_REPLY, RealClientCase
from tests.real_client.remote import RealClient
from tests.real_client.traffic import Delivery, SipMessage, history_replies, live_deliveries

pytestmark = pytest.mark.real_client

HISTORY_ASKED = 25
"""How many messages pidgin-sipe asks for when it has joined a room."""
RECONNECT_SECONDS = 0.3


def accepted_posts(traffic: Iterable[SipMessage]) -> list[str]:
    """Return the texts of posts of this client that the server answered with 200."""
    sent: dict[tuple[str | None, str | None], str] = {}
    accepted = []
    for message in traffic:
        key = (message.header("call-id"), message.header("cseq"))
        post = re.search(r"(?s)<grpchat .*?<chat>(.*?)</chat>", message.body)
        if message.way == "out" and message.is_request and post:
            sent[key] = post[1]
        elif message.way == "in" and message.status == 200 and key in sent:
            accepted.append(sent.pop(key))
    return accepted


class SigningIn(RealClientCase):
    """Who gets in, and what the client shows to those who do not."""

    def test_finds_rooms(self) -> None:
        """A user signs in with NTLM over TLS, checked against our authority, and is shown the rooms."""
        alice = self.client("alice")
        alice.sign_in()
        found = alice.rooms()
        self.assertEqual({name: found[name]["uri"] for name in ("Lobby", "Ops")}, self.rooms)
        registers = [message for message in alice.traffic() if message.start_line.startswith("REGISTER ")]
        self.assertIn("NTLM", registers[-1].header("authorization") or "", "signed in by NTLM, not unasked")

    def test_signs_every_message(self) -> None:
        """Once signed in, every message of the server carries a signature; the client checks them all."""
        alice = self.in_room("alice", self.rooms["Lobby"])
        alice.command("send", uri=self.rooms["Lobby"], text="signed")
        alice.expect("message", text="signed")
        received = [message for message in alice.traffic() if message.way == "in"]
        after = next(i for i, message in enumerate(received) if message.status == 200)
        for message in received[after:]:
            if message.is_request or (message.status or 0) >= 200:
                self.assertIn("rspauth=", message.header("authentication-info") or "", message.start_line)

    def test_netbios_login(self) -> None:
        """A user may give the domain the old way, EXAMPLE\\user."""
        bob = self.client("bob", login="EXAMPLE\\bob")
        bob.sign_in()
        self.assertIn("Lobby", bob.rooms())

    def test_untrusted_certificate(self) -> None:
        """A client that does not know our authority asks its user, and sends nothing before the answer."""
        alice = self.client("alice", authority=None)
        alice.command("connect")
        question = alice.expect("request")
        self.assertIn("certificate", f"{question.get('title')} {question.get('text')}".lower())
        self.assertEqual(alice.traffic(), [])

    def test_wrong_password(self) -> None:
        """A wrong password is refused clearly, once, and not as a network error that would be retried."""
        alice = self.client("alice", password="not-the-password")
        alice.command("connect")
        self.assertEqual(alice.expect("error")["reason"], "authentication-failed")
        alice.expect("state", state="disconnected")
        self.assertLessEqual(len([m for m in alice.traffic() if m.way == "out"]), 3)

    def test_disabled_account(self) -> None:
        """A disabled account is told so, in words the client shows."""
        carol = f"sip:carol@{self.server.domain}"
        self.server.ctl("user", "disable", carol)
        self.addCleanup(self.server.ctl, "user", "enable", carol)
        client = self.client("carol")
        client.command("connect")
        self.assertIn("disabled", client.expect("error")["text"].lower())
        client.expect("state", state="disconnected")

    def test_policy_off(self) -> None:
        """A user whose policy is off signs in all the same, without chat."""
        carol = f"sip:carol@{self.server.domain}"
        self.server.ctl("policy", "set", "--user", carol, "--enabled", "no")
        self.addCleanup(self.server.ctl, "policy", "set", "--user", carol, "--enabled", "yes")
        client = self.client("carol")
        client.sign_in(chat=False)
        refusal = client.expect("sip", way="in", text=re.compile(r"(?s)^SIP/2\.0 404 .*\d INVITE"))
        self.assertNotIn("<xccos", refusal["text"])
        client.command("rooms")
        self.assertFalse(client.expect("result", cmd="rooms")["ok"])


class Talking(RealClientCase):
    """Two users in a room."""

    def test_unicode_and_line_breaks(self) -> None:
        """Two users see each other's words, in any script and over several lines, and their own."""
        room = self.make_room("Scripts")
        alice = self.in_room("alice", room)
        bob = self.in_room("bob", room)
        text = "Grüße aus 北京 & <Київ>\nשלום عليكم\n🎉 fin"
        alice.command("send", uri=room, text=text)
        for client in (alice, bob):
            shown = client.expect("message", uri=room)
            self.assertEqual((shown["who"], shown["text"]), ("sip:alice@example.com", text))
        bob.command("send", uri=room, text="ответ")
        for client in (alice, bob):
            shown = client.expect("message", uri=room)
            self.assertEqual((shown["who"], shown["text"]), ("sip:bob@example.com", "ответ"))
            self.assert_each_once(client)

    def test_coming_and_going(self) -> None:
        """Those in a room see who comes and goes; who left gets nothing more."""
        room = self.make_room("Corridor")
        alice = self.in_room("alice", room)
        bob = self.in_room("bob", room)
        alice.expect("user-joined", uri=room, who="sip:bob@example.com", new=True)
        both = ["sip:alice@example.com", "sip:bob@example.com"]
        self.assertEqual(alice.users(room)["users"], both)
        self.assertEqual(bob.users(room)["users"], both)
        bob.command("leave", uri=room)
        alice.expect("user-left", uri=room, who="sip:bob@example.com")
        self.assertEqual(alice.users(room)["users"], both[:1])
        alice.command("send", uri=room, text="alone again")
        alice.expect("message", uri=room, text="alone again")
        bob.rooms()  # whatever was on its way to him would have come before this answer
        self.assertEqual(live_deliveries(bob.traffic()), [])

    def test_signing_out(self) -> None:
        """Who signs out is gone from the room for the others."""
        room = self.make_room("Exit")
        alice = self.in_room("alice", room)
        bob = self.in_room("bob", room)
        alice.expect("user-joined", uri=room, who="sip:bob@example.com")
        bob.command("disconnect")
        alice.expect("user-left", uri=room, who="sip:bob@example.com")

    def test_two_endpoints(self) -> None:
        """A user at two machines is one participant, sees everything at both, and is gone with the last."""
        room = self.make_room("Desks")
        bob = self.in_room("bob", room)
        desks = [self.in_room("alice", room), self.in_room("alice", room)]
        bob.expect("user-joined", uri=room, who="sip:alice@example.com")
        desks[0].command("send", uri=room, text="from one desk")
        for client in (*desks, bob):
            client.expect("message", uri=room, text="from one desk")
        desks[0].command("leave", uri=room)
        desks[0].expect("left", uri=room)
        bob.command("send", uri=room, text="still there?")
        desks[1].expect("message", uri=room, text="still there?")
        bob.expect("message", uri=room, text="still there?")
        self.assertEqual(bob.users(room)["users"], ["sip:alice@example.com", "sip:bob@example.com"])
        self.assertEqual(len([event for event in bob.seen("user-joined") if event["new"]]), 1)
        desks[1].command("leave", uri=room)
        bob.expect("user-left", uri=room, who="sip:alice@example.com")
        self.assertEqual(bob.users(room)["users"], ["sip:bob@example.com"])
        for client in (*desks, bob):
            self.assert_each_once(client)

    def test_refused_post(self) -> None:
        """A post that is too long is refused, and its author is told that it was not delivered."""
        room = self.make_room("Short")
        alice = self.in_room("alice", room)
        alice.command("send", uri=room, text="x" * 100_000)
        self.assertIn("not delivered", alice.expect("room-notice", uri=room)["text"])
        alice.command("send", uri=room, text="short")
        alice.expect("message", uri=room, text="short")
        self.assertEqual([delivery.chat_id for delivery in live_deliveries(alice.traffic())], [1])

    def test_put_out_and_back(self) -> None:
        """Who was put out gets nothing more, his posts are refused visibly; once allowed he comes back."""
        room = self.make_room("Gate")
        alice = self.in_room("alice", room)
        bob = self.in_room("bob", room)
        self.server.ctl("room", "disable", "Gate")
        self.server.ctl("room", "enable", "Gate")
        bob.command("send", uri=room, text="is anybody there?")
        self.assertIn("not delivered", bob.expect("room-notice", uri=room)["text"])
        for client in (alice, bob):
            self.leave(client, room)
            client.join(room)
        alice.command("send", uri=room, text="open again")
        for client in (alice, bob):
            client.expect("message", uri=room, text="open again")

    def test_operators(self) -> None:
        """The manager of a room is shown as its operator."""
        alice = self.in_room("alice", self.rooms["Ops"])
        shown = alice.users(self.rooms["Ops"])
        self.assertEqual(shown["operators"], ["sip:alice@example.com"])

    def test_history(self) -> None:
        """Who joins later is shown the last 25 messages, oldest first."""
        room = self.make_room("Archive")
        alice = self.in_room("alice", room)
        texts = [f"message number {number}" for number in range(30)]
        for text in texts:
            alice.command("send", uri=room, text=text)
        alice.expect("message", uri=room, text=texts[-1])
        bob = self.in_room("bob", room)
        bob.expect("message", uri=room, text=texts[-1])
        self.assertEqual([event["text"] for event in bob.seen("message")], texts[-HISTORY_ASKED:])
        ids = [[delivery.chat_id for delivery in reply] for reply in history_replies(bob.traffic())]
        self.assertEqual(ids, [list(range(6, 31))])
        self.assert_each_once(alice)


class Restarting(RealClientCase):
    """The server goes away and comes back under clients that connect again by themselves."""

    own_server = True

    def back(self, client: RealClient, room: str) -> None:
        """Wait until a client is signed in again and its room is open again, with its history."""
        client.signed_in()
        client.expect("joined", uri=room)
        client.expect("sip", way="in", text=HISTORY_REPLY)

    def test_rooms_come_back(self) -> None:
        """After a restart both users are in the room again; what was said is there, nothing is lost."""
        room = self.make_room("Patience")
        pair = [self.in_room(name, room, reconnect=RECONNECT_SECONDS) for name in ("alice", "bob")]
        alice = pair[0]
        before, after = [f"before {n}" for n in range(5)], [f"after {n}" for n in range(5)]
        for text in before:
            alice.command("send", uri=room, text=text)
        for client in pair:
            client.expect("message", uri=room, text=before[-1])
        self.server.stop()
        for client in pair:
            client.expect("state", state="disconnected")
        self.server.start()
        for client in pair:
            self.back(client, room)
            self.assertEqual([d.text for d in history_replies(client.traffic())[-1]], before)
        for text in after:
            alice.command("send", uri=room, text=text)
        for client in pair:
            client.expect("message", uri=room, text=after[-1])
            live = live_deliveries(client.traffic())
            self.assertEqual([delivery.text for delivery in live], before + after)
            self.assertEqual([delivery.chat_id for delivery in live], list(range(1, 11)))
            self.assert_each_once(client)

    def restart_under_fire(self, room: str, kill: bool) -> None:
        """Restart while a burst of posts is under way; whatever was answered 200 is seen by the others."""
        alice, bob = (self.in_room(name, room, reconnect=RECONNECT_SECONDS) for name in ("alice", "bob"))
        for number in range(HISTORY_ASKED - 5):
            alice.command("send", uri=room, text=f"burst {number}")
        alice.expect("message", uri=room, text="burst 3")
        if kill:
            self.server.kill()
        else:
            self.server.stop()
        self.server.start()
        for client in (alice, bob):
            self.back(client, room)
        alice.command("send", uri=room, text="still here")
        bob.expect("message", uri=room, text="still here")
        alice.expect("message", uri=room, text="still here")
        promised = accepted_posts(alice.traffic())
        self.assertGreaterEqual(len(promised), 4)
        for client in (alice, bob):
            self.assert_all_seen(client, promised)
            self.assert_each_once(client)

    def assert_all_seen(self, client: RealClient, promised: list[str]) -> None:
        """Everything promised is, once, among what a client got live or read back after its return."""
        seen: set[Delivery] = set(live_deliveries(client.traffic()))
        for reply in history_replies(client.traffic()):
            seen.update(reply)
        texts = sorted(delivery.text for delivery in seen)
        self.assertEqual([text for text in sorted(promised) if text not in texts], [])
        self.assertEqual(len(texts), len(set(texts)), "a text has one chat id only")

    def test_stop_under_fire(self) -> None:
        """SIGTERM in the middle of a burst of posts loses none that was accepted."""
        self.restart_under_fire(self.make_room("Orderly"), kill=False)

    def test_kill_under_fire(self) -> None:
        """SIGKILL in the middle of a burst of posts loses none that was accepted."""
        self.restart_under_fire(self.make_room("Disorderly"), kill=True)

    def test_connection_cut(self) -> None:
        """A client whose network went away is back in its room, once, as everybody else sees it."""
        room = self.make_room("Tunnel")
        alice = self.in_room("alice", room)
        bob = self.in_room("bob", room, reconnect=RECONNECT_SECONDS)
        alice.expect("user-joined", uri=room, who="sip:bob@example.com")
        bob.command("drop")
        bob.expect("state", state="disconnected")
        alice.expect("user-left", uri=room, who="sip:bob@example.com")
        self.back(bob, room)
        alice.expect("user-joined", uri=room, who="sip:bob@example.com", new=True)
        alice.command("send", uri=room, text="welcome back")
        bob.expect("message", uri=room, text="welcome back")
        self.assertEqual(len(alice.users(room)["users"]), 2)
