"""Settings and state of the server in the administration interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pchat.admin.fields import Text
from pchat.admin.routes import Answer, Call, Route
from pchat.rooms.administration import SettingsAdministration

#: Tells how the server is.
Status = Callable[[], Awaitable[dict[str, Any]]]


class ServerRoutes:
    """The resources ``config`` and ``status``.

    Args:
        settings: Where the rules of the settings are.
        status: Tells how the server is.
    """

    def __init__(self, settings: SettingsAdministration, status: Status) -> None:
        self._settings = settings
        self._status = status

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route(
                *("GET", "config", self._show_settings),
                summary="Show all settings",
                scope="read",
                answer="Settings",
            ),
            Route(
                *(
                    "PUT",
                    "config/{setting}",
                    self._set,
                    {"value": Text("The new value, written as a text.")},
                    ("value",),
                ),
                summary="Change a setting; it is in force at once",
                scope="settings",
                answer="Settings",
            ),
            Route(
                *("DELETE", "config/{setting}", self._reset),
                summary="Give a setting its default again",
                scope="settings",
                answer="Settings",
            ),
            Route(
                *("GET", "status", self._show_status),
                summary="Tell how the server is",
                scope="read",
                answer="Status",
            ),
        ]

    async def _show_settings(self, call: Call) -> Answer:
        return 200, self._settings.show_settings()

    async def _set(self, call: Call) -> Answer:
        return 200, await self._settings.set_setting(call.actor, call.names[0], call.body["value"])

    async def _reset(self, call: Call) -> Answer:
        return 200, await self._settings.reset_setting(call.actor, *call.names)

    async def _show_status(self, call: Call) -> Answer:
        return 200, await self._status()
