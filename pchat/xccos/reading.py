"""Every command that there is, by its name: who makes its arguments of what came over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pchat.errors import CommandRefused
from pchat.xccos import (
    commands,
    history_commands,
    person_commands,
    room_commands,
    search_commands,
    topic_commands,
)
from pchat.xccos.codes import ResponseCode
from pchat.xccos.limits import DEFAULT_COMMAND_LIMITS, CommandLimits

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader
    from pchat.xccos.parser import Command

READERS: dict[str, Reader] = {
    **commands.READERS,
    **search_commands.READERS,
    **room_commands.READERS,
    **history_commands.READERS,
    **person_commands.READERS,
    **topic_commands.READERS,
}


def read_command(command: Command, limits: CommandLimits = DEFAULT_COMMAND_LIMITS) -> object:
    """Read the arguments of any known command.

    Raises:
        CommandRefused: The command is unknown (not supported), or an argument is wrong (invalid argument).

    Source: docs/spec/xccos.md chapter 4.
    """
    reader = READERS.get(command.name)
    if reader is None:
        raise CommandRefused(ResponseCode.ERROR_MSG_NOT_SUPPORTED, command.name)
    return reader(command.data, limits)
