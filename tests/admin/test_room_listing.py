"""How long a listing of rooms may be asked for (Get-CsPersistentChatRoom, ResultSize)."""

from __future__ import annotations

from tests.admin.support import CommandCase


class ResultSizeTests(CommandCase):
    """Limit L-15 of docs/spec/persistent-chat-server.md."""

    def test_sizes(self) -> None:
        """From none to the largest number of 32 bits with a sign; beyond, and below, is not understood."""
        self.ctl("category", "add", "Work", "--allow", "example.com")
        for name in ("Lobby", "Ops"):
            self.ctl("room", "add", name, "--category", "Work")
        for limit, names in (("0", []), ("1", ["Lobby"]), ("2147483647", ["Lobby", "Ops"])):
            shown = self.ctl("room", "list", "--limit", limit)
            self.assertEqual(names, [room["name"] for room in shown], limit)
        for limit in ("-1", "2147483648", "many"):
            self.refused("room", "list", "--limit", limit, status=2)
