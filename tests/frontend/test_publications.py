"""The publication table against a short separate model, and payloads against canonical XML."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import SipRefused
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.markup import escape, payload_of, read_document, wire_time
from pchat.frontend.publications import (
    ExpireType,
    PublicationKey,
    PublicationRequest,
    PublicationTable,
    VersionConflict,
)
from pchat.frontend.reading import (
    read_batch,
    read_members,
    read_publish,
    read_roaming_list,
    read_setting_groups,
)
from pchat.ticks import TICKS_PER_SECOND, from_iso
from tests.frontend.support import publication, publish_body

KEYS = [PublicationKey("note", container, instance) for container in (1, 200) for instance in (0, 2**32 - 1)]


@st.composite
def requests(draw: st.DrawFn) -> list[PublicationRequest]:
    """Draw the elements of one request, no key twice."""
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
    made = []
    for key in keys:
        kind = draw(st.sampled_from(list(ExpireType)))
        expires = draw(st.sampled_from([0, 5, 20] if kind is ExpireType.TIME else [0, None]))
        made.append(PublicationRequest(key, draw(st.integers(0, 3)), kind, expires, b"<a/>"))
    return made


class ModelTest(SynchronousTestCase):
    """Any order of requests, ends and times."""

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("publish"), requests(), st.sampled_from("ab")),
                st.tuples(st.just("left"), st.frozensets(st.sampled_from("ab"))),
                st.tuples(st.just("wait"), st.integers(1, 15)),
            ),
            max_size=12,
        )
    )
    def test_model(self, steps: list[tuple[object, ...]]) -> None:
        """The table does what a dictionary does that follows section 1 and 2 word by word."""
        table = PublicationTable(PresenceLimits())
        model: dict[PublicationKey, tuple[int, ExpireType, int, str]] = {}
        now = 0
        for step in steps:
            match step:
                case ("publish", list(items), str(owner)):
                    wrong = [
                        index
                        for index, item in enumerate(items, 1)
                        if item.expires != 0 and item.version != model.get(item.key, (0,))[0]
                    ]
                    try:
                        table.apply(table.decide(items, owner, now))
                    except VersionConflict as conflict:
                        self.assertEqual([found.index for found in conflict.conflicts], wrong)
                        continue
                    self.assertEqual(wrong, [])
                    for item in items:
                        if item.expires == 0:
                            model.pop(item.key, None)
                        else:
                            end = now + (item.expires or 0) * TICKS_PER_SECOND
                            model[item.key] = (item.version + 1, item.expire_type, end, owner)
                case ("left", frozenset(left)):
                    table.apply(table.orphaned(left))
                    for key, (_, kind, _, mine) in list(model.items()):
                        if (kind is ExpireType.ENDPOINT and mine not in left) or (
                            kind is ExpireType.USER and not left
                        ):
                            del model[key]
                case ("wait", int(seconds)):
                    now += seconds * TICKS_PER_SECOND
                    table.apply(table.expired(now))
                    for key, (_, kind, end, _) in list(model.items()):
                        if kind is ExpireType.TIME and end <= now:
                            del model[key]
            self.assertEqual({row.key: row.version for row in table}, {key: model[key][0] for key in model})

    def test_many_conflicts_at_once(self) -> None:
        """Two thousand rows are decided in one go, and the 2001st is refused."""
        items = [
            PublicationRequest(PublicationKey("a", 1, n), 0, ExpireType.STATIC, None, b"")
            for n in range(2000)
        ]
        table = PublicationTable(PresenceLimits())
        table.apply(table.decide(items, "", 0))
        self.assertEqual(len(table), 2000)
        self.assertIsNone(table.next_expiry())


NAMES = st.sampled_from(["a", "p:b", "q:c", "d-é"])
TEXTS = st.text(st.sampled_from("ab &<>\"'\n\t\r\N{GRINNING FACE}]é"), max_size=8)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    """Draw an element as text; its prefixes are declared further out, or anew."""
    name = draw(NAMES)
    attributes = draw(
        st.sampled_from(["", ' p:x="&#10;&quot;"', ' xmlns=""', ' xmlns:q="urn:q2"', ' xmlns="urn:u"'])
    )
    inside = escape(draw(TEXTS)) + draw(st.sampled_from(["", "<!-- c -->", "<![CDATA[<&]]>", "<?p i?>"]))
    if depth:
        inside += "".join(draw(st.lists(elements(depth - 1), max_size=2)))
    return f"<{name}{attributes}>{inside}</{name}>"


class PayloadTest(SynchronousTestCase):
    """Payloads that move from one document to another."""

    @settings(max_examples=300, deadline=None)
    @given(elements(), st.sampled_from(["", ' xmlns="urn:outer"']))
    def test_canonical(self, text: str, default: str) -> None:
        """A payload is canonically equal in any document that it is put into, with any namespaces there."""
        source = f'<root xmlns:p="urn:p" xmlns:q="urn:q"{default}>{text}</root>'.encode()
        payload = payload_of(read_document(source, 100_000)[0])
        moved = f'<other xmlns="urn:elsewhere" xmlns:p="urn:else" xmlns:z="urn:z">{payload.decode()}</other>'
        before, after = etree.fromstring(source)[0], etree.fromstring(moved)[0]
        for element in (before, after):
            element.tail = None
        self.assertEqual(
            etree.tostring(after, method="c14n", exclusive=True, with_comments=True),
            etree.tostring(before, method="c14n", exclusive=True, with_comments=True),
        )

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from([read_publish, read_members, read_roaming_list, read_setting_groups, read_batch]),
        st.one_of(st.binary(max_size=60), elements().map(str.encode)),
        st.sampled_from(["publish", "setContainerMembers", "roamingList", "batchSub", ""]),
    )
    def test_anything(self, read: Any, inside: bytes, root: str) -> None:
        """Whatever comes, it is read or refused as the peer's fault; nothing else is raised."""
        names = b' xmlns:p="urn:p" xmlns:q="urn:q">'
        name = root.encode()
        body = b"<" + name + names + inside + b"</" + name + b">" if root else inside
        try:
            read(body, PresenceLimits())
        except SipRefused as error:
            self.assertIn(error.status, (400, 413))

    def test_stored_again(self) -> None:
        """A payload that was stored and published again does not grow."""
        first = read_publish(
            publish_body("sip:a@b", publication("n", 1, 1, payload="<p:a xmlns:p='u'><b/></p:a>")).encode(),
            PresenceLimits(),
        )
        text = first.items[0].payload.decode()
        again = read_publish(
            publish_body("sip:a@b", publication("n", 1, 1, payload=text)).encode(), PresenceLimits()
        )
        self.assertEqual(again.items[0].payload.decode(), text)

    @given(st.text())
    def test_escape(self, text: str) -> None:
        """Escaped text is well formed wherever it stands, and comes back unless XML cannot hold it."""
        document = f'<a b="{escape(text)}">{escape(text)}</a>'
        element = etree.fromstring(document)
        self.assertEqual(element.get("b"), element.text or "")
        if text.isprintable():
            self.assertEqual(element.text or "", text)

    def test_time(self) -> None:
        """A publishTime has milliseconds and no zone."""
        self.assertEqual(wire_time(from_iso("2016-09-28T14:46:06.9401234Z")), "2016-09-28T14:46:06.940")
