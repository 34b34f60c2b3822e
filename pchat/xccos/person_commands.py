"""Arguments of the commands about what is kept for one user: invitations, preferences, read markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader

READERS: dict[str, Reader] = {}
