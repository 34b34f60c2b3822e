"""Whatever administrators and users do, the server does what the rules say, and nobody hears more.

``PCHAT_MODEL_STEPS`` tells how many steps are taken; `make soak` takes many.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.model.people import People

STEPS = int(os.environ.get("PCHAT_MODEL_STEPS", "2000"))
STEPS_A_RUN = 50


class RulesTests(SynchronousTestCase):
    """Random days of a pool."""

    def test_the_server_does_what_the_rules_say(self) -> None:
        """Every answer, every delivery and every kick is what the rules tell."""
        # Many steps take longer than trial's usual limit.
        self.timeout = 3_600
        run_state_machine_as_test(
            People,
            settings=settings(
                max_examples=max(1, STEPS // STEPS_A_RUN),
                stateful_step_count=STEPS_A_RUN,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        print(f"{People.steps} steps: the server did what the rules say")
        self.assertGreaterEqual(People.steps, STEPS // 2)
