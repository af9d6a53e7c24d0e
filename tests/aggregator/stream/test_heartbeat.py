from aggregator.stream.heartbeat import GRACE, Heartbeat


def test_says_once_that_a_trigger_was_idle() -> None:
    heartbeat = Heartbeat(3.0, 100.0)
    said = [now for now in range(100, 113) if heartbeat.idle(now, busy=False, batches=0)]
    assert said == [103, 106, 109, 112]


def test_waits_for_spark_to_begin_after_a_boundary() -> None:
    heartbeat = Heartbeat(3.0, 100.0)
    assert not heartbeat.idle(102.0 + GRACE - 0.01, busy=False, batches=0)
    assert heartbeat.idle(102.0 + GRACE, busy=False, batches=0)


def test_says_nothing_while_a_batch_is_in_hand_nor_after_it() -> None:
    heartbeat = Heartbeat(3.0, 100.0)
    assert not any(heartbeat.idle(now, busy=True, batches=0) for now in range(100, 120))
    assert not heartbeat.idle(120.0, busy=False, batches=1)
    assert heartbeat.idle(123.0, busy=False, batches=1)


def test_a_trigger_that_looked_long_and_found_nothing_is_idle() -> None:
    heartbeat = Heartbeat(3.0, 100.0)
    assert not heartbeat.idle(103.0, busy=True, batches=0)
    assert heartbeat.idle(104.0, busy=False, batches=0)
    assert not heartbeat.idle(104.1, busy=False, batches=0)


def test_short_intervals_have_a_shorter_grace() -> None:
    heartbeat = Heartbeat(0.2, 100.0)
    said = [tick for tick in range(11) if heartbeat.idle(100 + tick / 10, busy=False, batches=0)]
    assert said == [1, 3, 5, 7, 9]
