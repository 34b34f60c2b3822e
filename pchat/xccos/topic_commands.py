"""Arguments of the commands about topic feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader

READERS: dict[str, Reader] = {}
