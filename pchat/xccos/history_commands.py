"""Arguments of the commands that search what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader

READERS: dict[str, Reader] = {}
