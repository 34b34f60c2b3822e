"""Compares what a script expects with what came: text with ``...`` for what varies, and XML by its meaning.

In expected XML ``...`` may stand

* in an attribute's value or in a text, for any characters: ``ts="...Z"``;
* alone before the end of a tag, for any further attributes: ``<chanib uri="{Lobby}" ...>``;
* between elements, for any further elements; alone in an element, for anything at all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from lxml import etree

ANYTHING = "..."
#: What a lone ``...`` in a tag becomes, since XML knows no attribute without a value.
_MORE = "more-attributes"
_LONE = re.compile(r"(\s)\.\.\.(?=\s*/?>)")
_XCCOS = "urn:parlano:xml:ns:xccos"

Element = etree._Element
#: A child that is expected, or None for a gap: any number of others.
_Child = Element | None


def text_matches(expected: str, actual: str) -> bool:
    """Tell whether a text is as expected, with ``...`` for anything."""
    pattern = ".*".join(map(re.escape, expected.split(ANYTHING)))
    return re.fullmatch(pattern, actual, re.DOTALL) is not None


def text_difference(expected: str, actual: str) -> str:
    """Tell how two texts of several lines differ; empty when they do not."""
    if text_matches(expected, actual):
        return ""
    return _diff(expected.splitlines(), actual.splitlines())


def envelope(content: str) -> str:
    """Put what a script writes into an XCCOS envelope to compare it."""
    return f'<xccos xmlns="{_XCCOS}" more="">{content}</xccos>'.replace(' more=""', " ...")


def xml_difference(expected: str, actual: bytes) -> str:
    """Tell how a document differs from an expected one; empty when it does not.

    Order of attributes, prefixes and blanks between elements mean nothing.

    Raises:
        ValueError: One of them is not XML.
    """
    try:
        wanted = etree.fromstring(_LONE.sub(rf'\1{_MORE}=""', expected).encode())
    except etree.XMLSyntaxError as error:
        raise ValueError(f"the script's own XML is not well-formed: {error}\n{expected}") from None
    try:
        got = etree.fromstring(actual)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not XML: {error}\n{actual.decode(errors='replace')}") from None
    if _matches(wanted, got):
        return ""
    return _diff(_lines(wanted, wanted), _lines(got, wanted)) or (
        f"the same names in other namespaces or another order:\n{expected}\n{actual.decode()}"
    )


def _diff(expected: Sequence[str], actual: Sequence[str]) -> str:
    lines = difflib.unified_diff(expected, actual, "expected", "received", lineterm="", n=50)
    return "\n".join(lines)


# -- matching


def _matches(expected: Element, actual: Element) -> bool:
    if expected.tag != actual.tag or not _attributes_match(expected, actual):
        return False
    if not len(expected) and (expected.text or "").strip() == ANYTHING:
        return True
    wanted = _children(expected)
    if not wanted and not len(actual):
        return text_matches(_own_text(expected), _own_text(actual))
    return _own_text(actual).strip() == "" and _sequence_matches(wanted, list(actual))


def _attributes_match(expected: Element, actual: Element) -> bool:
    wanted = {str(name): str(value) for name, value in expected.attrib.items()}
    more = wanted.pop(_MORE, None) is not None
    got = {str(name): str(value) for name, value in actual.attrib.items()}
    if not more and set(wanted) != set(got):
        return False
    return all(name in got and text_matches(value, got[name]) for name, value in wanted.items())


def _own_text(element: Element) -> str:
    text = element.text or ""
    return text if text.strip() else ""


def _children(expected: Element) -> list[_Child]:
    found: list[_Child] = []
    if (expected.text or "").strip() == ANYTHING:
        found.append(None)
    for child in expected:
        found.append(child)
        if (child.tail or "").strip() == ANYTHING:
            found.append(None)
    return found


def _sequence_matches(expected: Sequence[_Child], actual: Sequence[Element]) -> bool:
    if not expected:
        return not actual
    first, rest = expected[0], expected[1:]
    if first is None:
        return any(_sequence_matches(rest, actual[skipped:]) for skipped in range(len(actual) + 1))
    return bool(actual) and _matches(first, actual[0]) and _sequence_matches(rest, actual[1:])


# -- showing


def _lines(element: Element, expected: Element | None, indent: str = "") -> list[str]:
    """Write an element one tag a line; where it is as expected it is written as the script has it."""
    if expected is not None and expected.tag != element.tag:
        expected = None
    qualified = etree.QName(element)
    name = qualified.localname
    attributes = _shown_attributes(element, expected)
    parent = element.getparent()
    if qualified.namespace != (_XCCOS if parent is None else etree.QName(parent).namespace):
        attributes = f' xmlns="{qualified.namespace or ""}"' + attributes
    if not len(element):
        text = _own_text(element)
        if expected is not None and not len(expected) and text_matches(_own_text(expected), text):
            text = _own_text(expected)
        return [f"{indent}<{name}{attributes}>{text}</{name}>"]
    if expected is not None and not len(expected) and (expected.text or "").strip() == ANYTHING:
        return [f"{indent}<{name}{attributes}>{ANYTHING}</{name}>"]
    lines = [f"{indent}<{name}{attributes}>"]
    if (element.text or "").strip() == ANYTHING:
        lines.append(f"{indent}  {ANYTHING}")
    # Pairs by name only: good enough to read.
    candidates = list(expected) if expected is not None else []
    for child in element:
        twin = next((one for one in candidates if one.tag == child.tag), None)
        if twin is not None:
            candidates.remove(twin)
        lines += _lines(child, twin, indent + "  ")
        if (child.tail or "").strip() == ANYTHING:
            lines.append(f"{indent}  {ANYTHING}")
    return [*lines, f"{indent}</{name}>"]


def _shown_attributes(element: Element, expected: Element | None) -> str:
    wanted = {} if expected is None else {str(key): str(value) for key, value in expected.attrib.items()}
    shown = []
    for key, value in sorted((str(key), str(value)) for key, value in element.attrib.items()):
        if key == _MORE:
            continue
        if key not in wanted and _MORE in wanted:
            continue
        pattern = wanted.get(key)
        as_expected = pattern is not None and text_matches(pattern, value)
        shown.append(f' {key}="{pattern if as_expected else value}"')
    return "".join(shown) + (f" {ANYTHING}" if _MORE in wanted else "")
