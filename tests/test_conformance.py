"""What docs/conformance.md and docs/administration.md claim: complete, and about things that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.main import pchatctl
from pchat.xccos.codes import ResponseCode
from pchat.xccos.reading import READERS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SCRIPTS = ROOT / "tests" / "conversations"

_CODE = re.compile(r"`([^`]+)`")
_SCRIPT = re.compile(r"\b(\w+\.txt)\b")
_REFUSAL = re.compile(r"`(ERROR_\w+)` (\w+\.txt)")
_CMDLETS = re.compile(r"((?:[A-Z][a-z]+-/)*[A-Z][a-z]+)-(CsPersistentChat\w+)")

#: What section 7 of the account has among the parameters and is none: values, and the beginning of a text.
_VALUES = frozenset(
    [
        "Auditorium",
        "Closed",
        "False",
        "Inherit",
        "Normal",
        "Open",
        "Secret",
        "FailedOver",
        "PersistentChatServer",
        "This",
    ]
)


def text_of(name: str) -> str:
    """Read a document."""
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """Cut a section out of a document, up to the next heading that stands as high."""
    level = heading.split(maxsplit=1)[0]
    begin = text.index(f"\n{heading}") + 1
    end = text.find(f"\n{level} ", begin)
    return text[begin : end if end >= 0 else None]


def rows(text: str) -> Iterator[list[str]]:
    """Go through the rows of all tables, headings and lines below them left out."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not line.startswith("|-") and not following.startswith("|-"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def has_test(name: str) -> bool:
    """Tell whether a test named as ``file::class::test`` below tests/ is one that runs."""
    path, _, rest = name.partition("::")
    kind, _, test = rest.partition("::")
    if not (ROOT / "tests" / path).is_file() or not test.startswith("test"):
        return False
    module = import_module("tests." + path.removesuffix(".py").replace("/", "."))
    return callable(getattr(getattr(module, kind, None), test, None))


def answers(script: str, command: str, code: str) -> bool:
    """Tell whether a conversation shows a command answered by a code."""
    text = (SCRIPTS / script).read_text()
    told = rf"is answered {command} \d+ {code}\b"
    whole = rf'rpl id="rpl:{command}"[^>]*>\s*(?:<commandid[^>]*/>\s*)?<resp code="\d+">{code}<'
    return re.search(f"{told}|{whole}", text) is not None


class RuleTests(SynchronousTestCase):
    """The tables of rules."""

    def setUp(self) -> None:
        self.account = text_of("spec/persistent-chat-server.md")
        self.text = text_of("conformance.md")

    def test_every_rule(self) -> None:
        """Each id of the account has a row, in the order of the account within its letter."""
        ids = re.findall(r"\*\*([A-Z]-\d+)\b", self.account) + re.findall(r"(?m)^\| (L-\d+) ", self.account)
        self.assertGreater(len(ids), 80)
        told = [cells[0] for cells in rows(self.text) if re.fullmatch(r"[A-Z]-\d+", cells[0])]
        for letter in sorted({rule[0] for rule in ids}):
            wanted = [rule for rule in ids if rule[0] == letter]
            found = list(dict.fromkeys(rule for rule in told if rule[0] == letter))
            self.assertEqual(wanted, found)

    def test_shown_or_told_why_not(self) -> None:
        """A row without a test says why; one with a test names where its rule is built."""
        for title in (
            "Model",
            "Permissions",
            "Functions",
            "Administration",
            "Limits",
            "Compliance, files, pool",
        ):
            for cells in rows(section(self.text, f"## {title}")):
                _, rule, built, shown, differs = cells
                self.assertTrue(rule and differs, cells)
                self.assertEqual(bool(_CODE.search(built)), bool(_CODE.search(shown)), cells)
                if not shown:
                    self.assertNotEqual("no", differs, cells)

    def test_everything_exists(self) -> None:
        """Modules, tests and conversations that are named are there."""
        for name in _CODE.findall(self.text):
            if "::" in name:
                self.assertTrue(has_test(name), name)
            elif name.endswith(".py"):
                self.assertTrue((ROOT / "pchat" / name).is_file() or (ROOT / name).is_file(), name)
        for name in _SCRIPT.findall(self.text):
            self.assertTrue((SCRIPTS / name).is_file(), name)

    def test_wrong_names_are_found(self) -> None:
        """A module, a class or a test that is not there is seen to be missing."""
        good = "test_conformance.py::RuleTests::test_every_rule"
        self.assertTrue(has_test(good))
        for wrong in (good.replace("test_c", "test_d"), good.replace("Rule", "Role"), good + "s", "x::y::z"):
            self.assertFalse(has_test(wrong), wrong)


class CodeTests(SynchronousTestCase):
    """The table of error codes."""

    def test_every_name(self) -> None:
        """All names of the reference server's interface, each with the code here and a test, or why not."""
        listed = section(text_of("spec/persistent-chat-server.md"), "### 4.13").split("*DataCollision*")[0]
        wanted = re.findall(r"\b(\d+) ([A-Z]\w+)", listed.split("\n", 1)[1])
        self.assertEqual(25, len(wanted))
        table = list(rows(section(text_of("conformance.md"), "## Error codes")))
        self.assertEqual(wanted, [(number, name) for number, name, *_ in table])
        for _, name, here, shown, differs in table:
            self.assertTrue(shown or differs != "no", name)
            self.assertEqual(bool(here), bool(shown), name)
            if here:
                number, _, symbol = here.partition(" ")
                self.assertEqual(int(number), ResponseCode[symbol].number)
                script = _SCRIPT.search(shown)
                if script is not None:
                    self.assertIn(f"{symbol}", (SCRIPTS / script[1]).read_text(), name)

    def test_every_code(self) -> None:
        """No code of ours is left out."""
        text = section(text_of("conformance.md"), "## Error codes")
        for code in ResponseCode:
            if code is not ResponseCode.SUCCESS_OK:
                self.assertIn(f"{code.number} {code.symbol} ", text)


class CommandTests(SynchronousTestCase):
    """The tables of commands and notices."""

    def setUp(self) -> None:
        self.table = list(rows(section(text_of("conformance.md"), "## Commands")))

    def test_every_command(self) -> None:
        """All commands that the server reads, and all that chapter 10 has."""
        told = {name for cells in self.table for name in cells[0].split(", ")}
        self.assertEqual(set(), set(READERS) - told)
        chosen = text_of("spec/xccos.md").split("| Command | Request `<data>`")[1].split("\n\n")[0]
        names = {cells[0].partition(",")[0] for cells in rows(chosen)}
        self.assertIn("bcbymsg", names)
        self.assertEqual(set(), names - told)

    def test_conversations_show_it(self) -> None:
        """The conversations named for a success or a refusal have that answer in them."""
        for cells in self.table:
            name = cells[0]
            if name in READERS:
                self.assertTrue(_SCRIPT.search(cells[1]), name)
                for script in _SCRIPT.findall(cells[1]):
                    self.assertTrue(answers(script, name, "SUCCESS_OK"), (name, script))
                self.assertTrue(cells[2] == "none" or _REFUSAL.search(cells[2]), name)
                for code, script in _REFUSAL.findall(cells[2]):
                    self.assertTrue(answers(script, name, code), (name, code, script))

    def test_no_refusal_is_left_out(self) -> None:
        """What any conversation shows as an answer of a command is in its row."""
        rows_of = {cells[0]: cells for cells in self.table if cells[0] in READERS}
        for script in sorted(SCRIPTS.glob("*.txt")):
            for name, cells in rows_of.items():
                for code in ResponseCode:
                    if code is not ResponseCode.SUCCESS_OK and answers(script.name, name, code.symbol):
                        self.assertIn(f"`{code.symbol}`", cells[2], (name, script.name))

    def test_notices(self) -> None:
        """The conversations named for a notice have it in them; so has chapter 10, or our own forms."""
        notices = [cells for cells in self.table if cells[0].startswith("ntc:")]
        for name, shown in notices:
            for script in _SCRIPT.findall(shown):
                self.assertIn(f'id="{name}"', (SCRIPTS / script).read_text())
        forms = text_of("spec/xccos.md") + text_of("xccos-extensions.md")
        known = set(re.findall(r"\bntc:\w+", forms)) - {"ntc:quit", "ntc:filtermod", "ntc:NAME"}
        self.assertEqual(known, {name for name, _ in notices})


class CmdletTests(SynchronousTestCase):
    """docs/administration.md."""

    def setUp(self) -> None:
        self.text = text_of("administration.md")

    def test_every_cmdlet(self) -> None:
        """The 37 cmdlets of section 7 of the account are all there under their full names."""
        table = section(text_of("spec/persistent-chat-server.md"), "## 7. ")
        names = {
            f"{verb.rstrip('-')}-{noun}"
            for verbs, noun in _CMDLETS.findall(table.split("Also used:")[0])
            for verb in verbs.split("/")
        }
        self.assertEqual(37, len(names), sorted(names))
        self.assertEqual(set(), {name for name in names if not re.search(rf"\b{name}\b", self.text)})

    def test_every_parameter(self) -> None:
        """Each parameter of each cmdlet is told of: what does the same, or why nothing does."""
        table = section(text_of("spec/persistent-chat-server.md"), "## 7. ").split("Also used:")[0]
        for cells in rows(table):
            if "CsPersistentChat" in cells[0]:
                words = set(re.findall(r"\b[A-Z][A-Za-z]{2,}\b", cells[1].replace("*", " "))) - _VALUES
                missing = {word for word in words if not re.search(rf"\b{word}\b", self.text)}
                self.assertEqual(set(), missing, cells[0])

    def test_verbs_and_options(self) -> None:
        """Every verb and option that stands in the tables is one of pchatctl."""
        block: list[click.Command] = []
        checked = 0
        for cells in rows(self.text):
            if cells[0]:
                block = []
            here = block
            for place, code in enumerate(_CODE.findall(cells[-1].replace("\\|", "|"))):
                words = code.replace("[", "").replace("]", "").split()
                named = self._commands(words)
                if named:
                    here = named
                    # Options in the rows below are those of the command that a row begins with.
                    block = named if place == 0 else block
                for option in (word for word in words if word.startswith("--")):
                    for command in here:
                        self.assertIn(option, self._options(command), f"{code}: {cells}")
                        checked += 1
        self.assertGreater(checked, 60)

    def _commands(self, words: list[str]) -> list[click.Command]:
        """Find the commands that words name: ``room member|manager add|remove ROOM`` names four."""
        if words[0] not in pchatctl.commands:
            return []
        found: list[click.Command] = [pchatctl]
        for word in words:
            groups = [command for command in found if isinstance(command, click.Group)]
            if not groups:
                break
            missing = [name for group in groups for name in word.split("|") if name not in group.commands]
            self.assertEqual([], missing, words)
            found = [group.commands[name] for group in groups for name in word.split("|")]
        return found

    @staticmethod
    def _options(command: click.Command) -> set[str]:
        return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
