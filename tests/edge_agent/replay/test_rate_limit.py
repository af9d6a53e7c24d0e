import pytest

from edge_agent.replay.rate_limit import BURST, RateLimit


def _sent(pace: RateLimit, moments: list[float]) -> int:
    sent = 0
    for moment in moments:
        while pace.take(moment):
            sent += 1
    return sent


@pytest.mark.parametrize("rate", (0.5, 7.0, 1_000.0, 20_000.0))
def test_so_many_go_as_the_rate_allows(rate: float) -> None:
    moments = [tick * 0.01 for tick in range(1_001)]
    assert _sent(RateLimit(rate), moments) == pytest.approx(10 * rate + 1, abs=1.0)


def test_the_first_goes_at_once_and_the_next_after_its_time() -> None:
    pace = RateLimit(4.0)
    assert pace.take(100.0)
    assert not pace.take(100.0)
    assert pace.wait() == pytest.approx(0.25)
    assert not pace.take(100.2)
    assert pace.wait() == pytest.approx(0.05)
    assert pace.take(100.26)


def test_a_pause_is_not_caught_up_in_a_burst() -> None:
    pace = RateLimit(1_000.0)
    pace.take(0.0)
    assert _sent(pace, [3_600.0]) == 1 + 1_000 * BURST


def test_without_a_rate_all_go_at_once() -> None:
    pace = RateLimit(None)
    assert all(pace.take(0.0) for _ in range(1_000))
    assert pace.wait() == 0.0
