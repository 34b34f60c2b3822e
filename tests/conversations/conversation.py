"""Plays a conversation script against a whole server in memory.

The scripts beside this file are the documentation of what goes over the wire; docs of the language:
`tests/conversations/README.md`.
"""

from __future__ import annotations

from tests.conversations import asking, moderating, preparing, talking
from tests.conversations.script import Script, Step
from tests.conversations.sentences import perform
from tests.conversations.stage import Stage

#: Modules that hold sentences; importing them is what makes the sentences known.
VOCABULARY = (asking, moderating, preparing, talking)


def play(script: Script) -> None:
    """Play a script to its end.

    Raises:
        AssertionError: Something is not as the script says; the text tells where and how.
    """
    stage = Stage()
    try:
        for step in script.steps:
            try:
                perform(stage, step.sentence, step.body)
            except AssertionError as error:
                raise AssertionError(f"\n{_where(script, step)}\n{error}") from None
            except Exception as error:
                raise AssertionError(f"\n{_where(script, step)}\n{error!r}") from error
        try:
            stage.check_accounted()
        except AssertionError as error:
            raise AssertionError(f"\n{script.path.name}, at its end\n{error}") from None
    finally:
        stage.end()


def _where(script: Script, step: Step) -> str:
    return f"{script.path.name}, line {step.line}: {step.sentence}"
