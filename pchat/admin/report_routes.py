"""Reports of the administration interface."""

from __future__ import annotations

from pchat.admin.fields import Number
from pchat.admin.routes import Answer, Call, Route
from pchat.rooms.usage import DAYS, MOST_DAYS, MOST_TOP, TOP, UsageReport

_FILTERS = {
    "days": Number(1, MOST_DAYS, "Days that are looked at, today included.", DAYS),
    "top": Number(1, MOST_TOP, "Rooms and users in each list.", TOP),
}


class ReportRoutes:
    """The resource ``reports/usage``.

    Args:
        usage: Makes the report.
    """

    def __init__(self, usage: UsageReport) -> None:
        self._usage = usage

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route(
                *("GET", "reports/usage", self._report),
                query=_FILTERS,
                summary="Report on how much is said, where and by whom",
                scope="read",
                answer="UsageReport",
            )
        ]

    async def _report(self, call: Call) -> Answer:
        return 200, await self._usage.report(**call.query)
