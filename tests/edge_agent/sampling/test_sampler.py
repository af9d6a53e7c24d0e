import io
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_agent.probes.driver import Probe
from edge_agent.probes.fault import Fault
from edge_agent.probes.status import LINES, ProbeRecord
from edge_agent.probes.temperature import celsius, fahrenheit
from edge_agent.sampling.places import Place
from edge_agent.sampling.sample import Sample
from edge_agent.sampling.sampler import GATHER, HANGS, MOST_HUNG, Sampler
from isotherm.log import start_logging
from tests.support import await_true

NOW = 1_479_302_799_447_974_000
UPTIME = 5_000_000_000
PATIENCE = 10.0


class _Script:
    """A probe that gives what it is told to, or raises it."""

    def __init__(self, *found: float | Fault | Exception) -> None:
        self._found = list(found)

    def read(self) -> float | Fault:
        found = self._found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


class _Hung:
    """A probe that answers when it is let go."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.reading = threading.Event()
        self.let_go = threading.Event()

    def read(self) -> float | Fault:
        self.thread = threading.current_thread()
        self.reading.set()
        self.let_go.wait(PATIENCE)
        return 1.0


class _Rig:
    """A sampler whose monotonic clock stands still until it is moved."""

    def __init__(self, *probes: Probe, stuck_after: int = 0) -> None:
        self.told = io.StringIO()
        self.now = 100.0
        places = [
            Place(
                probe=probe,
                guid=f"g{number}",
                state="CA",
                timeout=4.0,
                stuck_after=stuck_after,
                blocks=not isinstance(probe, _Script),
            )
            for number, probe in enumerate(probes)
        ]
        self.sampler = Sampler(
            places,
            log=start_logging("agent", stream=self.told),
            clock=lambda: NOW,
            uptime=lambda: UPTIME,
            monotonic=lambda: self.now,
        )

    def tick(self) -> list[float]:
        self.sampler.start(range(len(self.sampler.status())))
        return [sample.temperature for sample in self.sampler.collect()]

    def await_wake(self) -> None:
        assert select.select([self.sampler.fileno()], [], [], PATIENCE)[0]


@contextmanager
def _rig(*probes: Probe, stuck_after: int = 0) -> Iterator[_Rig]:
    rig = _Rig(*probes, stuck_after=stuck_after)
    try:
        yield rig
    finally:
        for probe in probes:
            if isinstance(probe, _Hung):
                probe.let_go.set()
        rig.sampler.close()


def test_a_sample_says_all_about_itself() -> None:
    with _rig(_Script(15.0), _Script(1.0)) as rig:
        rig.sampler.start([0])
        assert rig.sampler.collect() == [Sample("g0", "CA", 59.0, NOW, UPTIME)]


def test_a_fault_is_told_twice_counted_each_time_and_is_no_reading() -> None:
    with _rig(_Script(1.0, Fault.CRC, Fault.CRC, 1_000.0, 2.0)) as rig:
        assert [rig.tick() for _ in range(5)] == [[33.8], [], [], [], [35.6]]
        assert rig.sampler.faults == 3
        status = rig.sampler.status()["g0"]
        assert (status.fault, status.readings, status.since) == (None, 2, NOW)
        assert status.faults == {Fault.CRC: 2, Fault.RANGE: 1}
        assert rig.sampler.changes == 3
    told = rig.told.getvalue()
    assert told.count("fault=crc") == 1
    assert told.count("has a fault guid=g0 fault=range") == 1
    assert told.count("gives temperatures again") == 1


@pytest.mark.parametrize(
    ("raised", "why"),
    (
        (PermissionError(13, "Permission denied", "/sys/x"), "/sys/x: Permission denied"),
        (OSError(121, "Remote I/O error"), "Remote I/O error"),
        (TimeoutError("too slow"), "too slow"),
        (ZeroDivisionError("a mistake"), "ZeroDivisionError: a mistake"),
    ),
)
def test_what_a_driver_raises_is_a_fault_with_its_words(raised: Exception, why: str) -> None:
    with _rig(_Script(raised, 1.0)) as rig:
        assert rig.tick() == []
        status = rig.sampler.status()["g0"]
        assert (status.fault, status.why) == (Fault.MISSING, why)
        assert rig.tick() == [33.8]


def test_a_probe_that_hangs_delays_no_other_and_is_a_timeout_until_it_answers_in_time() -> None:
    hung = _Hung()
    with _rig(hung, _Script(1.0, 2.0, 3.0, 4.0, 5.0)) as rig:
        assert rig.tick() == []
        assert rig.sampler.next_look == 100.0 + GATHER
        rig.now += GATHER
        assert len(rig.sampler.collect()) == 1
        assert rig.sampler.next_look == 104.0
        rig.now = 104.0
        # From now on nobody waits for it.
        assert [rig.tick() for _ in range(3)] == [[35.6], [37.4], [39.2]]
        assert rig.sampler.status()["g0"].faults == {Fault.TIMEOUT: 3}
        assert rig.sampler.status()["g0"].skipped == 1
        # What it measured in the meantime is nobody's: when was that?
        hung.let_go.set()
        rig.await_wake()
        assert rig.sampler.collect() == []
        assert rig.sampler.status()["g0"].fault is Fault.TIMEOUT
        rig.sampler.start([0])
        rig.await_wake()
        assert [sample.guid for sample in rig.sampler.collect()] == ["g0"]
    told = rig.told.getvalue()
    assert told.count("has a fault guid=g0 fault=timeout") == 1
    assert told.count("gives temperatures again guid=g0 fault=timeout") == 1


def test_a_probe_slower_than_its_interval_is_told_once_and_its_ticks_are_counted() -> None:
    hung = _Hung()
    with _rig(hung) as rig:
        for _ in range(3):
            assert rig.tick() == []
        assert rig.sampler.status()["g0"].skipped == 2
        assert rig.sampler.faults == 0
        hung.let_go.set()
        rig.await_wake()
        assert len(rig.sampler.collect()) == 1
    assert rig.told.getvalue().count("slower than its interval") == 1


def test_the_reads_of_a_tick_are_under_way_at_once_and_give_one_list() -> None:
    probes = [_Hung() for _ in range(5)]
    with _rig(*probes) as rig:
        assert rig.tick() == []
        assert all(probe.reading.wait(PATIENCE) for probe in probes)
        for probe in probes:
            probe.let_go.set()
        found: list[Sample] = []
        while not found:
            rig.await_wake()
            found = rig.sampler.collect()
        assert sorted(sample.guid for sample in found) == ["g0", "g1", "g2", "g3", "g4"]


def test_closing_waits_for_nobody_and_keeps_what_was_measured() -> None:
    hung = _Hung()
    rig = _Rig(hung, _Script(1.0))
    assert rig.tick() == []
    assert [sample.guid for sample in rig.sampler.close()] == ["g1"]
    assert hung.reading.wait(PATIENCE)
    assert hung.thread is not None
    assert hung.thread.daemon
    hung.let_go.set()
    hung.thread.join(PATIENCE)
    assert not hung.thread.is_alive()


def test_a_value_that_never_moves_is_stuck_until_it_does() -> None:
    with _rig(_Script(1.0, 1.0, 1.0, 1.0, 2.0), stuck_after=2) as rig:
        assert [rig.tick() for _ in range(5)] == [[33.8], [33.8], [], [], [35.6]]
        assert rig.sampler.status()["g0"].faults == {Fault.STUCK: 2}


def test_a_tenth_of_a_degree_survives_the_way_through_celsius() -> None:
    for tenths in range(-1_500, 3_101):
        assert fahrenheit(celsius(tenths / 10)) == tenths / 10


def test_another_sampler_carries_the_account_on() -> None:
    with _rig(_Script(1.0, Fault.CRC), _Script(1.0, 1.0)) as rig:
        rig.tick()
        rig.tick()
        stranger = Place(probe=_Script(2.0), guid="new", state="CA", blocks=False)
        after = Sampler(
            [rig.sampler.places[0], stranger],
            log=start_logging("agent", stream=rig.told),
            clock=lambda: NOW,
            uptime=lambda: UPTIME,
            before=rig.sampler,
        )
        status = after.status()
        after.close()
    assert list(status) == ["g0", "new"]
    assert (status["g0"].fault, status["g0"].readings) == (Fault.CRC, 1)
    assert (status["new"].fault, status["new"].readings) == (None, 0)
    assert after.faults == 1


def _next(rig: _Rig, *probes: Probe, places: list[Place] | None = None) -> None:
    """Read the configuration again: these probes, or the same places."""
    before = rig.sampler
    if places is None:
        places = [
            Place(probe=probe, guid=f"g{number}", state="CA") for number, probe in enumerate(probes)
        ]
    rig.sampler = Sampler(
        places,
        log=start_logging("agent", stream=rig.told),
        clock=lambda: NOW,
        uptime=lambda: UPTIME,
        monotonic=lambda: rig.now,
        before=before,
    )
    before.close()


def _threads() -> int:
    return sum(thread.name == "probe g0" for thread in threading.enumerate())


def test_a_read_that_hangs_is_no_second_thread_after_a_reload_and_ends_as_it_should() -> None:
    hung = _Hung()
    with _rig(hung) as rig:
        rig.sampler.start([0])
        hung.reading.wait(PATIENCE)
        rig.now += 5.0
        rig.sampler.collect()
        for _ in range(5):
            _next(rig, places=list(rig.sampler.places))
            rig.sampler.start([0])
        assert _threads() == 1
        status = rig.sampler.status()["g0"]
        assert (status.fault, status.faults) == (Fault.TIMEOUT, {Fault.TIMEOUT: 6})
        hung.let_go.set()
        rig.await_wake()
        rig.sampler.collect()
        # It is asked again, and well.
        rig.sampler.start([0])
        rig.await_wake()
        assert [sample.temperature for sample in rig.sampler.collect()] == [33.8]


def test_a_read_that_is_under_way_at_a_reload_gives_its_sample() -> None:
    hung = _Hung()
    with _rig(hung) as rig:
        rig.sampler.start([0])
        hung.reading.wait(PATIENCE)
        _next(rig, places=list(rig.sampler.places))
        hung.let_go.set()
        rig.await_wake()
        assert [sample.temperature for sample in rig.sampler.collect()] == [33.8]


def test_what_was_read_before_a_reload_is_not_lost() -> None:
    with _rig(_Script(1.0)) as rig:
        rig.sampler.start([0])
        before = rig.sampler
        rig.sampler = Sampler(
            before.places,
            log=start_logging("agent", stream=rig.told),
            clock=lambda: NOW,
            uptime=lambda: UPTIME,
            before=before,
        )
        assert [sample.temperature for sample in before.close()] == [33.8]
        assert rig.sampler.collect() == []


def test_threads_that_hang_do_not_pile_up_however_often_the_probe_changes() -> None:
    probes = [_Hung() for _ in range(MOST_HUNG + 3)]
    with _rig(probes[0]) as rig:
        rig.sampler.start([0])
        probes[0].reading.wait(PATIENCE)
        for probe in probes[1:]:
            _next(rig, probe)
            rig.sampler.start([0])
        try:
            assert _threads() == MOST_HUNG
            status = rig.sampler.status()["g0"]
            assert (status.fault, status.why) == (Fault.TIMEOUT, HANGS)
        finally:
            for probe in probes:
                probe.let_go.set()
        await_true(lambda: _threads() == 0, "the threads to end")
        # Those let go, whose answers nobody wants, the probe is read again.
        assert rig.sampler.collect() == []
        rig.sampler.start([0])
        rig.await_wake()
        assert [sample.temperature for sample in rig.sampler.collect()] == [33.8]


def test_a_thread_that_cannot_be_started_is_a_fault_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    hung = _Hung()
    hung.let_go.set()
    with _rig(hung) as rig:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            assert rig.tick() == []
        status = rig.sampler.status()["g0"]
        assert status.fault is Fault.SYSTEM
        assert "can't start new thread" in status.why
        rig.sampler.start([0])
        rig.await_wake()
        assert [sample.temperature for sample in rig.sampler.collect()] == [33.8]


def test_a_probe_that_flaps_fills_no_log_and_its_last_state_is_told() -> None:
    told = io.StringIO()
    now = 0.0
    log = start_logging("agent", stream=told)
    record = ProbeRecord("g", log=log, clock=lambda: NOW, monotonic=lambda: now)
    for _ in range(3_600):
        record.failure(Fault.CRC)
        record.reading()
        now += 1.0
    record.failure(Fault.RANGE, "why")
    lines = told.getvalue().splitlines()
    assert LINES <= len(lines) <= LINES + 61
    assert record.changes == 7_201
    # It flaps no more: what it came to is told once, and then there is quiet.
    for _ in range(600):
        record.failure(Fault.RANGE, "why")
        now += 1.0
    more = told.getvalue().splitlines()
    assert len(more) - len(lines) <= 1
    lines = more
    assert "has a fault guid=g fault=range why=why" in lines[-1]
    left_out = sum(int(line.rpartition("left_out=")[2]) for line in lines if "left_out" in line)
    assert len(lines) + left_out == 7_201
