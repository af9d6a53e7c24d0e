"""Which ends of a part are a problem."""

from __future__ import annotations

from isotherm.errors import EXIT_OTHER, EXIT_USAGE
from tests.faults.chaos.parts import End
from tests.faults.chaos.plan import AGENTS, BRIDGE, JOB, PAGE
from tests.faults.chaos.run import unexplained_ends


def test_agents_and_page_end_only_when_they_are_ended_and_nobody_with_a_usage_error() -> None:
    ends = [
        End(AGENTS[0], "kill", "SIGKILL", -9, ""),
        # Kafka was away for too long, or another bridge came: the supervisor starts it again.
        End(BRIDGE, "", "exit code 1", EXIT_OTHER, ""),
        End(JOB, "", "exit code 1", EXIT_OTHER, ""),
    ]
    assert unexplained_ends(ends) == []
    wrong = [
        End(AGENTS[1], "", "exit code 1", EXIT_OTHER, "boom"),
        End(PAGE, "", "SIGSEGV", -11, ""),
        End(JOB, "term", "exit code 2", EXIT_USAGE, ""),
    ]
    assert len(unexplained_ends([*ends, *wrong])) == len(wrong)
    assert unexplained_ends(wrong)[0] == f"{AGENTS[1]} ended with exit code 1: boom"
