"""pytest's side of a suite that trial runs too."""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase, TestCase


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run trial's cases first.

    Where pytest-twisted is installed, for whatever other project, the reactor runs for good after the first
    plain test function, and a trial ``TestCase`` that needs it would find it dirty.
    """

    def is_function(item: pytest.Item) -> bool:
        case = getattr(item, "cls", None)
        return case is None or not issubclass(case, SynchronousTestCase | TestCase)

    items.sort(key=is_function)
