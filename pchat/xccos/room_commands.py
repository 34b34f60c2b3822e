"""Arguments of the commands that make and change rooms and their roles, and that ask who may what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader

READERS: dict[str, Reader] = {}
