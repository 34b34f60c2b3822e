"""``pchatctl group``, ``eligible`` and what is new of ``user`` and ``policy``, as an operator types them."""

from __future__ import annotations

from tests.admin.support import ApiCase, CommandCase

ALICE = {"uri": "sip:alice@example.com", "kind": "user"}
BOB = {"uri": "sip:bob@example.com", "kind": "user"}


class PeopleCase(CommandCase):
    """Alice and bob, and a category for their domain with a closed room."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("alice", "bob"):
            self.add_user(name)
        self.ctl("category", "add", "Work", "--allow", "example.com")
        self.ctl("room", "add", "Ops", "--category", "Work")


class GroupTests(PeopleCase):
    """``pchatctl group``."""

    def test_life(self) -> None:
        """A group is made, filled, shown, renamed, granted something, and removed with all of it."""
        made = self.ctl(
            "group", "add", "Traders", "--description", "They trade", "--member", "alice@example.com"
        )
        self.assertEqual(
            ("Traders", "They trade", 1, [ALICE]),
            tuple(made[name] for name in ("name", "description", "number_of_members", "members")),
        )
        self.assertEqual(made, self.ctl("group", "show", made["uri"]))
        traders = {"uri": made["uri"], "kind": "group", "name": "Traders"}
        outer = self.ctl("group", "add", "Floor", "--member", "traders")
        self.assertEqual([traders], outer["members"])
        self.assertEqual(["Traders", "Floor"], [group["name"] for group in self.ctl("group", "list")])
        self.assertEqual([ALICE, BOB], self.ctl("group", "member", "add", "Traders", "bob@example.com"))
        self.assertEqual([BOB], self.ctl("group", "member", "remove", "Traders", "alice@example.com"))
        self.assertEqual([BOB], self.ctl("group", "member", "list", "TRADERS"))
        self.ctl("room", "member", "add", "Ops", "Traders")
        self.assertEqual("Dealers", self.ctl("group", "set", "Traders", "--name", "Dealers")["name"])
        self.assertEqual("Dealers", self.ctl("room", "member", "list", "Ops")[0]["name"])
        removed = self.ctl("group", "remove", "Dealers")["removed"]
        self.assertEqual(
            [(None, "member"), (outer["uri"], "member")],
            [(entry["group"], entry["role"]) for entry in removed],
        )
        self.assertEqual([], self.ctl("room", "member", "list", "Ops"))
        self.refused("group", "remove", "Dealers")

    def test_refusals(self) -> None:
        """Exit 1 for what the rules refuse, 2 for what cannot be understood."""
        self.ctl("group", "add", "Traders", "--member", "alice@example.com")
        refused: list[tuple[str, ...]] = [
            ("group", "add", "TRADERS"),
            ("group", "add", ""),
            ("group", "add", "New", "--member", "nobody@example.com"),
            ("group", "show", "None"),
            ("group", "member", "add", "Traders", "alice@example.com"),
            ("group", "member", "remove", "Traders", "bob@example.com"),
            ("group", "member", "add", "Traders", "Traders"),
            ("user", "list", "--group", "None"),
            ("room", "member", "add", "Ops", "None"),
        ]
        for arguments in refused:
            self.refused(*arguments)
        misunderstood: list[tuple[str, ...]] = [
            ("group", "set", "Traders"),
            ("group", "member", "add", "Traders"),
            ("group", "add"),
            ("group", "add", "X", "--colour", "red"),
        ]
        for arguments in misunderstood:
            self.refused(*arguments, status=2)

    def test_tables(self) -> None:
        """Persons read names; what was taken away with a group is told beside the answer."""
        self.assertEqual("There are no groups.\n", self.run_ctl("group", "list").stdout)
        self.ctl("group", "add", "Traders")
        self.assertEqual(
            "The group has no members.\n", self.run_ctl("group", "member", "list", "Traders").stdout
        )
        self.ctl("group", "add", "Floor", "--member", "Traders")
        self.assertEqual(
            ["Member   Kind", "Traders  group"],
            self.run_ctl("group", "member", "list", "Floor").stdout.splitlines(),
        )
        self.ctl("room", "member", "add", "Ops", "Traders")
        self.assertRegex(self.run_ctl("room", "member", "list", "Ops").stdout, r"(?m)^Traders +group")
        self.assertRegex(self.run_ctl("group", "list").stdout, r"(?m)^Traders  -  +0 +ma-grp:\S+@u\.g$")
        removed = self.run_ctl("group", "remove", "Traders")
        self.assertEqual("The group Traders is removed.\n", removed.stdout)
        self.assertRegex(
            removed.stderr,
            "2 role entries of the group were taken away: member Traders of Ops; member Traders of Floor\n",
        )


class UserTests(PeopleCase):
    """``pchatctl user set`` and filters of ``user list``."""

    def test_set(self) -> None:
        """What people read is changed, one attribute or several; an empty text takes one away."""
        alice = ("user", "set", "alice@example.com")
        changed = self.ctl(*alice, "--display-name", "Alice A", "--email", "a@mail.example.com")
        self.assertEqual(("Alice A", "a@mail.example.com"), (changed["display_name"], changed["email"]))
        changed = self.ctl(*alice, "--display-name", "", "--company", "Us")
        self.assertEqual(
            ("", "Us", "a@mail.example.com"),
            (changed["display_name"], changed["company"], changed["email"]),
        )
        self.assertEqual(
            "The user sip:alice@example.com is changed.\n", self.run_ctl(*alice, "--company", "We").stdout
        )
        self.refused(*alice, "--company", "x" * 257)
        self.refused("user", "set", "nobody@example.com", "--company", "Us")
        self.refused(*alice, status=2)

    def test_filters(self) -> None:
        """By part of a name, by pattern, by group, by state, and all of these at once."""
        self.ctl("user", "set", "bob@example.com", "--display-name", "Robert")
        self.ctl("group", "add", "Inner", "--member", "bob@example.com")
        self.ctl("group", "add", "Outer", "--member", "Inner")
        self.ctl("user", "disable", "bob@example.com")

        def listed(*filters: str) -> list[str]:
            return [user["name"] for user in self.ctl("user", "list", *filters)]

        self.assertEqual(["bob"], listed("--filter", "ROB"))
        self.assertEqual(["alice"], listed("--filter", "sip:a*"))
        self.assertEqual(["bob"], listed("--group", "outer"))
        self.assertEqual(["bob"], listed("--disabled"))
        self.assertEqual(["alice"], listed("--enabled"))
        self.assertEqual(["bob"], listed("--disabled", "--group", "Inner", "--filter", "bob"))
        self.assertEqual([], listed("--enabled", "--group", "Inner"))
        self.assertEqual(
            "There are no such accounts.\n", self.run_ctl("user", "list", "--filter", "zz").stdout
        )
        groups = self.ctl("user", "show", "bob@example.com")["groups"]
        self.assertEqual({"Inner", "Outer"}, {group["name"] for group in groups})


class PolicyTests(PeopleCase):
    """``pchatctl policy remove``, and descriptions that stay."""

    def test_remove(self) -> None:
        """Without a policy of his own the global one is in force; the global one goes back to off."""
        bob = ("--user", "bob@example.com")
        self.ctl("policy", "set", "--global", "--enabled", "yes", "--description", "For all")
        self.ctl("policy", "set", *bob, "--enabled", "no", "--description", "On leave")
        self.assertEqual("On leave", self.ctl("policy", "set", *bob, "--enabled", "yes")["description"])
        self.ctl("policy", "set", *bob, "--enabled", "no")
        self.assertFalse(self.ctl("user", "show", "bob@example.com")["enabled"])
        in_force = self.ctl("policy", "remove", *bob)
        self.assertEqual(("global", True), (in_force["scope"], in_force["enabled"]))
        self.assertTrue(self.ctl("user", "show", "bob@example.com")["enabled"])
        self.refused("policy", "remove", *bob)
        self.assertEqual(
            {"scope": "global", "uri": None, "enabled": False, "description": ""},
            self.ctl("policy", "remove", "--global"),
        )
        self.assertFalse(self.ctl("user", "show", "bob@example.com")["enabled"])
        self.assertEqual(1, len(self.ctl("policy", "list")))
        self.refused("policy", "remove", status=2)
        self.refused("policy", "remove", "--global", *bob, status=2)

    def test_sentences(self) -> None:
        """A person is told what is in force now."""
        self.ctl("policy", "set", "--user", "bob@example.com", "--enabled", "yes")
        self.assertEqual(
            "The user bob@example.com has no policy of his own; globally chat is off.\n",
            self.run_ctl("policy", "remove", "--user", "bob@example.com").stdout,
        )
        self.assertEqual(
            "The global policy is changed: chat is off.\n",
            self.run_ctl("policy", "remove", "--global").stdout,
        )


class EligibleTests(PeopleCase):
    """``pchatctl eligible``."""

    def test_listed(self) -> None:
        """Groups and domains are expanded; what is cut is told to persons."""
        self.ctl("group", "add", "Traders", "--member", "bob@example.com")
        self.ctl("category", "add", "Few", "--allow", "Traders")
        self.assertEqual(
            [{"uri": BOB["uri"], "name": "bob", "display_name": "", "company": "", "email": ""}],
            self.ctl("eligible", "--category", "Few"),
        )
        self.assertEqual(2, len(self.ctl("eligible", "--room", "Ops")))
        self.assertEqual([], self.ctl("eligible", "--room", "Ops", "--presenters"))
        self.assertEqual(1, len(self.ctl("eligible", "--room", "Ops", "--filter", "*bob@*")))
        self.assertEqual(1, len(self.ctl("eligible", "--room", "Ops", "--limit", "1")))
        cut = self.run_ctl("eligible", "--room", "Ops", "--limit", "1")
        self.assertEqual("pchatctl: 1 more is not shown\n", cut.stderr)
        self.assertEqual("", self.run_ctl("eligible", "--room", "Ops", "--limit", "2").stderr)

    def test_refusals(self) -> None:
        """Neither a category nor a room, or both, cannot be understood; unknown ones are refused."""
        self.refused("eligible", "--category", "None")
        self.refused("eligible", "--room", "None")
        for arguments in (
            (),
            ("--category", "Work", "--room", "Ops"),
            ("--category", "Work", "--presenters"),
            ("--room", "Ops", "--limit", "0"),
        ):
            self.refused("eligible", *arguments, status=2)


class RouteTests(ApiCase):
    """The resources behind the commands, asked as another program asks them."""

    def test_groups(self) -> None:
        """Made with 201, removed with what was taken away; refusals have their codes."""
        self.user("alice")
        made = self.good("POST", "groups", {"name": "A/B c", "members": ["alice@example.com"]})
        self.assertEqual(made, self.good("GET", "groups/A%2FB%20c"))
        self.assertEqual((409, "duplicate-name"), self.refusal("POST", "groups", {"name": "a/b C"}))
        self.assertEqual((404, "no-such-principal"), self.refusal("GET", "groups/None"))
        self.assertEqual(
            (404, "no-such-principal"),
            self.refusal("POST", f"groups/{made['uri']}/members/remove", {"principals": ["A/B c"]}),
        )
        self.assertEqual({"removed": []}, self.good("DELETE", f"groups/{made['uri']}"))

    def test_strictness(self) -> None:
        """Wrong kinds, unknown members and filters are refused before anything is done."""
        self.good("POST", "groups", {"name": "G"})
        for method, path, body in (
            ("POST", "groups", {}),
            ("POST", "groups", {"name": 5}),
            ("POST", "groups", {"name": "x", "members": "alice"}),
            ("POST", "groups", {"name": "x", "colour": "red"}),
            ("PATCH", "groups/G", {"members": []}),
            ("POST", "groups/G/members", {}),
            ("POST", "groups/G/members", {"principals": [1]}),
            ("GET", "users?disabled=perhaps", None),
            ("GET", "users?colour=red", None),
            ("GET", "eligible?category=X&presenters=1", None),
            ("PATCH", "users/alice@example.com", {"state": "disabled"}),
        ):
            status, _ = self.refusal(method, path, body)
            self.assertEqual(400, status, (method, path, body))
        self.assertEqual(["G"], [group["name"] for group in self.good("GET", "groups")])

    def test_eligible(self) -> None:
        """Without a place, or with two, the rules refuse."""
        self.category()
        self.user("alice")
        for query in ("", "?category=Work&room=Ops", "?category=Work&presenters=true"):
            self.assertEqual(400, self.refusal("GET", f"eligible{query}")[0])
        [found] = self.good("GET", "eligible?category=Work&presenters=false")
        self.assertEqual("sip:alice@example.com", found["uri"])
