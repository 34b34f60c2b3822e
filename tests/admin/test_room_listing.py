"""How long a listing of rooms may be asked for (Get-CsPersistentChatRoom, ResultSize)."""

from __future__ import annotations

from tests.admin.support import CommandCase


class ResultSizeTests(CommandCase):
    """Limit L-15 of docs/spec/persistent-chat-server.md."""

    def test_sizes(self) -> None:
        """Up to the largest number of 32 bits with a sign; what is no size is not understood."""
        self.ctl("category", "add", "Work", "--allow", "example.com")
        for name in ("Lobby", "Ops"):
            self.ctl("room", "add", name, "--category", "Work")
        for limit, names in (("1", ["Lobby"]), ("2147483647", ["Lobby", "Ops"])):
            shown = self.ctl("room", "list", "--limit", limit)
            self.assertEqual(names, [room["name"] for room in shown], limit)
        for limit in ("-1", "many"):
            self.refused("room", "list", "--limit", limit, status=2)
