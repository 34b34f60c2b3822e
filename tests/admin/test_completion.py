"""Names that a shell completes: what the running server has, quoted where it must be; else nothing."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from pchat.admin.client import Door
from pchat.admin.completion import VARIABLE
from pchat.admin.main import pchatctl
from pchat.admin.offline import OfflineDoor
from pchat.admin.session import Session
from pchat.config import Config
from tests.admin.support import CommandCase


def offline(config: Config, seconds: float) -> Door:
    """Stand in for the way to a running server."""
    return OfflineDoor(config)


class CompletionTests(CommandCase):
    """The names of rooms and other things."""

    def setUp(self) -> None:
        super().setUp()
        self.ctl("category", "add", "Work")
        self.ctl("category", "add", "Play")
        for name in ("The Den", "thesis", "$(reboot)", "Other", "-v", "a\u200bb"):
            self.ctl("room", "add", "--category", "Work", "--", name)
        self.ctl("group", "add", "Staff")
        self.ctl("addin", "add", "Wiki", "https://wiki.example.com")

    def completed(self, *words: str, shell: str = "bash", session: Session | None = None) -> list[str]:
        """Complete the last of some words; return what is offered."""
        line = ["pchatctl", "--config", str(self.config), *words]
        shells = {
            "COMP_WORDS": "\n".join(line) if shell == "bash" else " ".join(line[:-1]),
            "COMP_CWORD": str(len(line) - 1) if shell == "bash" else line[-1],
            VARIABLE: f"{shell}_complete",
        }
        given = session or Session(open_running=offline)
        result = CliRunner().invoke(pchatctl, [], env=shells, prog_name="pchatctl", obj=given)
        self.assertEqual((0, ""), (result.exit_code, result.stderr))
        lines = [line for line in result.stdout.splitlines() if line]
        self.assertTrue(all(line.startswith("plain,") for line in lines), lines)
        return [line.removeprefix("plain,") for line in lines]

    def test_rooms(self) -> None:
        """Every verb completes rooms, in any case; those that nobody can type are left out."""
        for words in (
            *(("room", "show"), ("room", "remove"), ("room", "member", "add"), ("room", "clear")),
            *(("message", "remove"), ("message", "search", "--room")),
        ):
            self.assertEqual(["'The Den'", "thesis"], self.completed(*words, "THE"), words)
            self.assertEqual(
                ["'$(reboot)'", "Other", "'The Den'", "thesis"], self.completed(*words, ""), words
            )

    def test_quoting(self) -> None:
        """A shell that quotes by itself is given the names as they are."""
        self.assertEqual(["The Den", "thesis"], self.completed("room", "show", "th", shell="fish"))

    def test_others(self) -> None:
        """So are categories, groups, add-ins and settings."""
        for words, names in (
            (("category", "set", ""), ["Play", "Work"]),
            (("room", "move", "thesis", "--category", "w"), ["Work"]),
            (("group", "member", "add", "s"), ["Staff"]),
            (("user", "list", "--group", "s"), ["Staff"]),
            (("addin", "show", ""), ["Wiki"]),
            (("room", "set", "thesis", "--addin", "w"), ["Wiki"]),
            (("config", "set", "search-l"), ["search-limit"]),
            (("config", "reset", "nothing"), []),
        ):
            self.assertEqual(names, self.completed(*words), words)

    def test_nobody_answers(self) -> None:
        """Without a server, or a configuration, nothing is offered and nothing is told."""
        self.assertEqual([], self.completed("room", "show", "", session=Session()))
        self.config = Path("/nonexistent/pchat.toml")
        self.assertEqual([], self.completed("room", "show", ""))
