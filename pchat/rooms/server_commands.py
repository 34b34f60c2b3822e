"""What a client asks of the service before it knows any room: where it is, what its limits are.

Source: docs/spec/xccos.md 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from pchat import ticks
from pchat.xccos.blocks import ServerBlock
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import ServerInfo
from pchat.xccos.writer import server_info, user_reference

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.parser import Command


@frozen
class ServiceInfo:
    """What clients are told of the service.

    Args:
        pool_uri: Where requests for the channel service go.
        display_name: Friendly name of the pool.
        database_version: GUID that stays with the store.
        room_management_url: Tells the web page for managing rooms.
    """

    pool_uri: str
    display_name: str
    database_version: str
    room_management_url: Callable[[], str]


class ServerCommands:
    """Answers ``requri`` and ``getserverinfo``.

    Args:
        info: What clients are told of the service.
        tree: The node tree.
        settings: Limits.
        clock: Server time.
    """

    def __init__(self, info: ServiceInfo, tree: NodeTree, settings: Settings, clock: IReactorTime) -> None:
        self._info = info
        self._tree = tree
        self._settings = settings
        self._clock = clock

    async def cmd_requri(self, session: ChatSession, command: Command, _: object) -> None:
        """Tell which channel service the client shall use; asked on lookup and on chat dialogs."""
        session.reply(command, ResponseCode.SUCCESS_OK, user_reference(self._info.pool_uri))

    async def cmd_getserverinfo(self, session: ChatSession, command: Command, wish: ServerInfo) -> None:
        """Tell limits, time and names."""
        settings = self._settings
        block = ServerBlock(
            info_type=wish.info_type,
            server_time=ticks.to_iso(ticks.from_unix(self._clock.seconds())),
            search_limit=settings.search_limit,
            message_size_limit=settings.message_size_limit,
            story_size_limit=settings.story_size_limit,
            root_uri=self._tree.root_uri,
            db_version=self._info.database_version,
            display_name=self._info.display_name,
            room_management_url=self._info.room_management_url(),
        )
        session.reply(command, ResponseCode.SUCCESS_OK, server_info(block))
