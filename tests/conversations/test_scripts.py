"""One test method a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.conversations.conversation import play
from tests.conversations.script import Script, read_script


class Conversations(SynchronousTestCase):
    """What is said between clients and server, word by word."""


def _method(script: Script) -> Callable[[Conversations], None]:
    def test(self: Conversations) -> None:
        play(script)

    test.__name__ = script.name
    test.__qualname__ = f"Conversations.{script.name}"
    test.__doc__ = script.title
    return test


for _path in sorted(Path(__file__).parent.glob("*.txt")):
    _script = read_script(_path)
    if hasattr(Conversations, _script.name):
        raise ValueError(f"two scripts would be {_script.name}")
    setattr(Conversations, _script.name, _method(_script))
