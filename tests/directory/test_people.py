"""Accounts, policies and who is affiliated with what."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pchat.auth.accounts import Account, ICredentials
from pchat.auth.ntlm import nt_hash
from pchat.directory.credentials import StoredCredentials
from pchat.directory.people import check_user_uri, principal_key
from pchat.errors import AdministrationRefused, OperatorError
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, Rules, RulesCase, result

ALICE, BOB = f"sip:alice@{DOMAIN}", f"sip:bob@{DOMAIN}"


class KeyTests(SynchronousTestCase):
    """Which spellings name the same principal."""

    def test_spellings_of_a_user(self) -> None:
        """Scheme, case, port and parameters make no difference."""
        for text in (
            *("alice@example.com", "SIP:Alice@EXAMPLE.COM", "sips:alice@example.com:5061"),
            "sip:alice@example.com;user=phone",
            " sip:alice@example.com ",
        ):
            self.assertEqual(principal_key(text), ALICE, text)

    def test_others(self) -> None:
        """Groups and domains are lower-cased; they never look like users."""
        self.assertEqual(principal_key("MA-GRP:AB@u.g"), "ma-grp:ab@u.g")
        self.assertEqual(principal_key("Example.COM"), "example.com")

    @given(st.text(max_size=60))
    def test_any_text_has_a_key(self, text: str) -> None:
        """Whatever a peer sends, looking it up is safe, and a key of a key is itself."""
        key = principal_key(text)
        self.assertEqual(principal_key(key), key)

    def test_addresses_of_accounts(self) -> None:
        """An account's address is plain; escapes, ports and parameters would give it two spellings."""
        self.assertEqual(check_user_uri("Alice.B@Example.COM"), "sip:Alice.B@example.com")
        for bad in (
            *("", "alice", "@example.com", "alice@", "a@b@c", "alice@exa mple.com", "alice@-x.com"),
            *(
                "sip:alice@example.com:5060",
                "sip:alice;x@example.com",
                "al%69ce@example.com",
                "ü@example.com",
            ),
            *("tel:+123", "x" * 300 + "@example.com", "alice@example.com;a=b", "alice@[::1]"),
        ):
            self.assertRaises(AdministrationRefused, check_user_uri, bad)


class AccountTests(RulesCase):
    """The verbs of ``pchatctl user``."""

    def setUp(self) -> None:
        super().setUp()
        self.people = self.rules.people

    def refused(self, work: Any, code: ResponseCode) -> None:
        error = self.assertRaises(AdministrationRefused, result, work)
        self.assertEqual(error.code, code)

    def test_shown_as_made(self) -> None:
        """A new account shows its names; chat is off until a policy switches it on (P-16)."""
        shown = result(self.people.add_user("root", "Alice@Example.com", display_name="Alice A."))
        self.assertEqual(
            {key: shown[key] for key in ("uri", "name", "display_name", "state", "enabled", "created_by")},
            {
                "uri": "sip:Alice@example.com",
                "name": "Alice",
                "display_name": "Alice A.",
                "state": "active",
                "enabled": False,
                "created_by": "root",
            },
        )
        self.assertEqual(
            [user["uri"] for user in result(self.people.list_users())], ["sip:Alice@example.com"]
        )

    def test_one_account_an_address(self) -> None:
        """The same address in another case is the same account."""
        self.rules.user("alice")
        self.refused(
            self.people.add_user(OPERATOR, "ALICE@example.com"), ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED
        )

    def test_unknown_accounts(self) -> None:
        """Every verb tells when there is no such user; a domain is none."""
        result(self.rules.categories.add_category(OPERATOR, "C", allowed=[DOMAIN]))
        for text in ("nobody@example.com", DOMAIN, ""):
            for work in (
                self.people.show_user(text),
                self.people.disable_user(OPERATOR, text),
                self.people.remove_user(OPERATOR, text),
                self.people.set_password(OPERATOR, text, "secret"),
                self.people.set_policy(OPERATOR, True, uri=text),
            ):
                self.refused(work, ResponseCode.ERROR_NO_SUCH_PRINCIPAL)

    def test_disable_and_enable(self) -> None:
        """A disabled user's sessions end; enabled again, he has what he had."""
        self.rules.user("alice")
        result(self.people.set_policy(OPERATOR, True))
        self.rules.observer.take()
        self.assertEqual(result(self.people.disable_user(OPERATOR, ALICE))["state"], "disabled")
        self.assertEqual(self.rules.observer.take(), [("user_ended", (ALICE, "disabled"))])
        self.assertFalse(self.rules.directory.enabled(self.rules.user("alice")))
        self.refused(self.people.disable_user(OPERATOR, ALICE), ResponseCode.ERROR_INVALID_ARGUMENT)
        self.assertTrue(result(self.people.enable_user(OPERATOR, ALICE))["enabled"])
        self.assertEqual(self.rules.observer.take(), [("user_changed", ALICE)])

    def test_a_removed_user_leaves_nothing_but_his_messages(self) -> None:
        """Roles, scopes, policy and password go; the same address is later somebody else."""
        result(self.people.add_user(OPERATOR, ALICE, password="secret"))
        old = self.rules.user("alice")
        result(self.people.set_policy(OPERATOR, True, uri=ALICE))
        result(self.rules.categories.add_category(OPERATOR, "C", allowed=[ALICE], creators=[ALICE]))
        result(self.rules.rooms.add_room(OPERATOR, "Ops", category="C"))
        result(self.rules.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [ALICE]))
        self.rules.observer.take()
        result(self.people.remove_user(OPERATOR, ALICE))
        self.assertEqual(self.rules.observer.take(), [("user_ended", (ALICE, "removed"))])
        for table in ("credentials", "room_roles", "category_principals"):
            self.assertEqual(self.rules.query(f"select count(*) from {table}"), [(0,)], table)
        self.assertIsNone(self.rules.directory.by_uri(ALICE))
        self.assertIs(self.rules.directory.by_id(old.id), old)
        self.assertEqual(old.uri, ALICE)
        self.assertEqual(result(self.people.list_users()), [])
        kinds = self.rules.query("select kind from outbox order by server_sequence")
        self.assertEqual(kinds[-2:], [("scope_change",), ("role_change",)])
        new = self.rules.user("alice")
        self.assertNotEqual(new.id, old.id)
        self.assertFalse(self.rules.directory.enabled(new))
        self.assertFalse(self.rules.access.in_scope(new, next(iter(self.rules.tree.categories()))))

    def test_password(self) -> None:
        """A password can be set and replaced; one that clients would cut is refused and changes nothing."""
        self.rules.user("alice")
        result(self.people.set_password(OPERATOR, ALICE, "one"))
        result(self.people.set_password(OPERATOR, ALICE, "two"))
        stored = "select verifier from credentials where scheme = 'ntlm'"
        self.assertEqual(self.rules.query(stored), [(nt_hash("two"),)])
        for bad in ("", "pässword", "x" * 257, "a\x00b"):
            self.assertRaises(OperatorError, result, self.people.set_password(OPERATOR, ALICE, bad))
            self.assertRaises(OperatorError, result, self.people.add_user(OPERATOR, BOB, password=bad))
        self.assertEqual(self.rules.query(stored), [(nt_hash("two"),)])
        self.assertIsNone(self.rules.directory.by_uri(BOB))


class PolicyTests(RulesCase):
    """For whom chat is on."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("alice", "bob"):
            self.rules.user(name)
        self.rules.observer.take()

    def enabled(self, name: str) -> bool:
        return self.rules.directory.enabled(self.rules.user(name))

    def test_own_policy_beats_the_global_one(self) -> None:
        """The more specific policy wins, in both directions; those it ends or begins for are told."""
        set_policy = self.rules.people.set_policy
        self.assertEqual((self.enabled("alice"), self.enabled("bob")), (False, False))
        result(set_policy(OPERATOR, True, uri=ALICE))
        self.assertEqual(self.rules.observer.take(), [("user_changed", ALICE)])
        self.assertEqual((self.enabled("alice"), self.enabled("bob")), (True, False))
        result(set_policy(OPERATOR, True))
        self.assertEqual(self.rules.observer.take(), [("user_changed", BOB)])
        result(set_policy(OPERATOR, False, uri=BOB))
        self.assertEqual(self.rules.observer.take(), [("user_ended", (BOB, "policy"))])
        result(set_policy(OPERATOR, False))
        self.assertEqual(self.rules.observer.take(), [])
        self.assertEqual((self.enabled("alice"), self.enabled("bob")), (True, False))

    def test_list(self) -> None:
        """The global policy is listed first."""
        result(self.rules.people.set_policy(OPERATOR, True, uri=BOB, description="pilot"))
        self.assertEqual(
            self.rules.people.list_policies(),
            [
                {"scope": "global", "uri": None, "enabled": False, "description": ""},
                {"scope": "user", "uri": BOB, "enabled": True, "description": "pilot"},
            ],
        )


class AffiliationTests(SynchronousTestCase):
    """A domain stands for everybody in it."""

    def test_domain(self) -> None:
        """Users of a domain, made before or after it was granted something, are affiliated with it."""
        rules = Rules()
        alice = rules.user("alice")
        self.assertEqual(rules.directory.affiliations(alice), {alice.id})
        result(rules.categories.add_category(OPERATOR, "C", allowed=["EXAMPLE.com"]))
        domain = rules.directory.by_uri("example.com")
        assert domain is not None
        result(rules.people.add_user(OPERATOR, "zoe@sub.example.com"))
        outsider = rules.directory.by_uri("zoe@sub.example.com")
        assert outsider is not None
        self.assertEqual(rules.directory.affiliations(alice), {alice.id, domain.id})
        self.assertEqual(rules.directory.affiliations(rules.user("bob")), {rules.user("bob").id, domain.id})
        self.assertEqual(rules.directory.affiliations(outsider), {outsider.id})
        self.assertEqual(rules.directory.affiliations(domain), {domain.id})


class CredentialTests(RulesCase):
    """What sign-in is told of accounts."""

    def setUp(self) -> None:
        super().setUp()
        result(self.rules.people.add_user(OPERATOR, "Alice@example.com", password="secret"))
        self.credentials = StoredCredentials(self.rules.store, self.rules.directory)
        verifyObject(ICredentials, self.credentials)

    def lookup(self, user: str, domain: str) -> Account | None:
        found: Account | None = self.successResultOf(self.credentials.lookup(user, domain))
        return found

    def test_known(self) -> None:
        """An account is found in any case, with the verifiers of its password."""
        found = self.lookup("ALICE", "Example.Com")
        assert found is not None
        self.assertEqual(found.uri, "sip:Alice@example.com")
        self.assertEqual(found.nt_hash, nt_hash("secret"))
        self.assertEqual(len(found.ha1 or b""), 16)
        self.assertFalse(found.disabled)

    def test_disabled(self) -> None:
        """A disabled account is told as such, so that only a correct password learns of it."""
        result(self.rules.people.disable_user(OPERATOR, "alice@example.com"))
        found = self.lookup("alice", "example.com")
        assert found is not None
        self.assertTrue(found.disabled)
        self.assertIsNotNone(found.nt_hash)

    def test_unknown(self) -> None:
        """Others, removed accounts, domains and odd texts are unknown; the store is asked all the same."""
        result(self.rules.categories.add_category(OPERATOR, "C", allowed=[DOMAIN]))
        result(self.rules.people.remove_user(OPERATOR, "alice@example.com"))
        reads: list[Any] = []
        read = self.rules.store.read

        def noting_read(*args: Any) -> Any:
            reads.append(args)
            return read(*args)

        self.patch(self.rules.store, "read", noting_read)
        asked = [
            ("alice", "example.com"),
            ("bob", "example.com"),
            ("", ""),
            ("a@b", "c"),
            ("x" * 256, "\x00%"),
        ]
        for user, domain in asked:
            self.assertIsNone(self.lookup(user, domain))
        self.assertEqual(len(reads), len(asked))

    def test_without_a_password(self) -> None:
        """An account without a password has no verifiers."""
        self.rules.user("bob")
        found = self.lookup("bob", "example.com")
        assert found is not None
        self.assertEqual((found.nt_hash, found.ha1), (None, None))
