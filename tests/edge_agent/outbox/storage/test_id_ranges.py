from hypothesis import given
from hypothesis import strategies as st

from edge_agent.outbox.storage.id_ranges import Ranges, spans

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 12)), max_size=30)


@given(STEPS)
def test_it_is_a_set_in_as_few_ranges_as_can_be(steps: list[tuple[bool, int, int]]) -> None:
    ranges, plain = Ranges(), set[int]()
    for adding, first, more in steps:
        numbers = range(first, first + more + 1)
        if adding:
            ranges.add(first, first + more)
            plain.update(numbers)
        else:
            ranges.remove(first, first + more)
            plain.difference_update(numbers)
        assert list(ranges) == list(spans(sorted(plain)))
        assert [n for n in range(60) if n in ranges] == sorted(plain)
        assert bool(ranges) == bool(plain)


def test_single_numbers_become_ranges() -> None:
    ranges = Ranges([(5, 6)])
    ranges.update([1, 2, 7, 9])
    assert list(ranges) == [(1, 2), (5, 7), (9, 9)]
    ranges.clear()
    assert not ranges
