"""What is told of roles, categories and add-ins is well-formed and comes back as it was, however called."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.xccos import room_writer
from tests.xccos.samples import GUID, ROOM
from tests.xccos.test_properties import ANY_TEXT, FORBIDDEN

EXAMPLES = settings(deadline=None, max_examples=100)


def shown(text: str) -> str:
    """Say what must come out for a text: what XML cannot carry is replaced."""
    return FORBIDDEN.sub("\ufffd", text)


class Forms(SynchronousTestCase):
    """The forms of docs/spec/xccos.md chapter 10."""

    def test_roles_notice(self) -> None:
        """Whose mask changed, in which room."""
        people = {"sip:bob@example.com": 7552, "sip:alice@example.com": 3456}
        told = room_writer.roles_notice(
            ROOM, [(uri, (mask, GUID, "example.com")) for uri, mask in people.items()]
        )
        self.assertEqual(
            told,
            f'<chanib uri="{ROOM}"/><uib uri="sip:bob@example.com">'
            f'<aib key="7552" value="{GUID}" domain="example.com"/></uib>'
            f'<uib uri="sip:alice@example.com"><aib key="3456" value="{GUID}" domain="example.com"/></uib>',
        )

    def test_role_list(self) -> None:
        """Who is on a list stands in it."""
        self.assertEqual(
            room_writer.role_list("MEMBER", room_writer.short_user("sip:a@b", "A")),
            '<role type="MEMBER"><uib uri="sip:a@b" disname="A"/></role>',
        )

    @EXAMPLES
    @given(ANY_TEXT, ANY_TEXT, st.booleans(), st.booleans(), st.booleans())
    def test_category(self, name: str, description: str, invite: bool, files: bool, logged: bool) -> None:
        """A category of any name comes back as it was."""
        told = room_writer.category_block(
            ROOM, name, description, invite=invite, filepost=files, logged=logged
        )
        found = etree.fromstring(told)
        self.assertEqual((found.get("name"), found.get("description")), (shown(name), shown(description)))
        words = {True: "true", False: "false"}
        self.assertEqual(found.get("invite"), words[invite])
        self.assertEqual(found.get("filepost"), words[files])
        self.assertEqual(found.get("logged"), words[logged])

    @EXAMPLES
    @given(ANY_TEXT, ANY_TEXT)
    def test_addin_and_user(self, name: str, address: str) -> None:
        """So does an add-in, and somebody on a long list."""
        addin = etree.fromstring(room_writer.addin_block(GUID, name, address))
        self.assertEqual((addin.get("name"), addin.get("url")), (shown(name), shown(address)))
        user = etree.fromstring(room_writer.short_user(address, name, 7))
        self.assertEqual(
            (user.get("id"), user.get("uri"), user.get("disname")), ("7", shown(address), shown(name))
        )
