from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sampling.schedule import Schedule


def test_all_are_due_at_the_start_and_then_each_at_its_interval() -> None:
    schedule = Schedule([1.0, 2.0, 1.0], start=100.0)
    seen = {}
    for moment in (100.0, 100.5, 101.0, 102.0, 103.0):
        seen[moment] = schedule.due(moment)
    assert seen == {100.0: [0, 1, 2], 100.5: [], 101.0: [0, 2], 102.0: [0, 1, 2], 103.0: [0, 2]}


def test_late_ticks_do_not_shift_the_grid() -> None:
    schedule = Schedule([0.1], start=0.0)
    for number in range(10_000):
        assert schedule.due(number * 0.1 + 0.03) == [0]
    assert abs(schedule.next_tick - 1_000.0) < 1e-9


def test_ticks_that_were_slept_through_are_not_made_up_for() -> None:
    schedule = Schedule([1.0, 5.0], start=0.0)
    schedule.due(0.0)
    assert schedule.due(3_600.5) == [0, 1]
    assert schedule.due(3_600.6) == []
    assert schedule.next_tick == 3_601.0


@given(
    st.lists(st.floats(0.001, 100.0), min_size=1, max_size=5),
    st.floats(0.0, 1e6),
    st.lists(st.floats(0.0, 500.0), max_size=20),
)
def test_the_next_tick_is_always_ahead(
    intervals: list[float], start: float, steps: list[float]
) -> None:
    schedule = Schedule(intervals, start)
    now = start
    for step in steps:
        now += step
        due = schedule.due(now)
        assert len(due) == len(set(due))
        assert schedule.next_tick > now
        assert schedule.next_tick <= now + min(intervals) * 1.001
