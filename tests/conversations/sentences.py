"""The words of the little language: which sentence does what.

Each module that holds sentences registers them here; `perform` finds the one that fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from tests.conversations.stage import ScriptFailed, Stage

Action = Callable[[Stage, re.Match[str], str], None]

WHO = r"(?P<who>[A-Z]\w*(?: (?:at|on) \w+)?)"
NAMES = r"(?P<names>[A-Z]\w*(?:(?:, | and )[A-Z]\w*)*)"


@frozen
class Sentence:
    """One form of sentence.

    Args:
        form: What it must look like.
        action: What it does, given the stage, the match and the indented lines.
        is_expectation: Whether it only tells what must have come, instead of making something happen.
    """

    form: re.Pattern[str]
    action: Action
    is_expectation: bool


KNOWN: list[Sentence] = []


def sentence(form: str, *, is_expectation: bool = False) -> Callable[[Action], Action]:
    """Register an action under the form of its sentence."""

    def register(action: Action) -> Action:
        text = form.replace("WHO", WHO).replace("NAMES", NAMES)
        KNOWN.append(Sentence(re.compile(text), action, is_expectation))
        return action

    return register


def perform(stage: Stage, text: str, body: str) -> None:
    """Do what a sentence says.

    Raises:
        ScriptFailed: No such sentence, or it does not hold.
    """
    for known in KNOWN:
        match = known.form.fullmatch(text)
        if match is None:
            continue
        if not known.is_expectation and stage.is_running:
            # Whatever came before must be accounted for before the story goes on.
            stage.check_accounted()
        known.action(stage, match, body)
        if stage.is_running:
            stage.settle()
        return
    raise ScriptFailed(f"nobody understands the sentence {text!r}")


def names(text: str) -> list[str]:
    """Read a list such as ``Alice, Bob and Carol``."""
    return [name for name in re.split(r", | and ", text) if name]


def addresses(text: str | None) -> list[str]:
    """Read a list of users as their addresses; ``everybody`` is the whole domain."""
    return [
        "example.com" if name == "everybody" else f"sip:{name.lower()}@example.com"
        for name in names(text or "")
    ]
