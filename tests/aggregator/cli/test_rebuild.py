import pytest

from aggregator.cli.rebuild import portions


@pytest.mark.parametrize("most", (1, 3, 10))
@pytest.mark.parametrize("size", (1, 7, 1000))
def test_portions_cover_every_offset_once_and_in_order(most: int, size: int) -> None:
    first, end = {0: 3, 1: 0, 4: 5}, {0: 40, 1: 1, 4: 5}
    found = portions(first, end, most=most, size=size)
    assert 1 <= len(found) <= most
    for number, last in end.items():
        reached = [offset for cut in found for offset in range(cut.first[number], cut.end[number])]
        assert reached == list(range(first[number], last))


def test_as_few_portions_as_the_size_allows() -> None:
    assert len(portions({0: 0}, {0: 10}, most=100, size=4)) == 3


def test_a_topic_of_which_nothing_is_left_is_one_empty_portion() -> None:
    (only,) = portions({0: 5}, {0: 5}, most=3)
    assert only.first == only.end == {0: 5}
