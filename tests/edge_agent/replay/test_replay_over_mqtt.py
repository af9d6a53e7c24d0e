import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import Stack
from edge_agent.probes.simulation import Workload, lines
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.subscriber import Subscriber

pytestmark = pytest.mark.integration


def _device() -> str:
    return f"replay-{uuid.uuid4().hex[:12]}"


@contextmanager
def _replaying(file: str, stack: Stack, device: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "edge_agent", "replay", file]
    command += ["--mqtt", stack.mqtt, "--device", device, *more]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _told(process: subprocess.Popen[str]) -> str:
    _, told = process.communicate(timeout=90)
    return told


def test_ten_thousand_lines_arrive_byte_for_byte_and_in_order(stack: Stack, tmp_path: Path) -> None:
    good = [line.encode() for line in lines(Workload(), 9_997)]
    odd = [b"not json\r\n", b"\xff\xfe\x00not utf-8\n", b"\n", b" \t\r\n", b"x" * 1_000_000 + b"\n"]
    file = tmp_path / "lines"
    file.write_bytes(b"".join(good[:5_000] + odd + good[5_000:]))
    device = _device()
    sent = [line.removesuffix(b"\n") for line in good]
    sent[5_000:5_000] = [b"not json", b"\xff\xfe\x00not utf-8", b"x" * 1_000_000]
    with Subscriber(stack.mqtt, readings_topic(device)) as subscriber:
        with _replaying(str(file), stack, device) as process:
            told = _told(process)
        assert "replayed 10000 messages: 10000 acknowledged, 0 refused in " in told
        assert process.returncode == 0
        subscriber.wait(lambda payloads: len(payloads) >= 10_000)
        assert subscriber.payloads == sent


def test_a_batch_arrives_as_lines_in_one_payload(stack: Stack, tmp_path: Path) -> None:
    texts = [line.removesuffix("\n").encode() for line in lines(Workload(), 1_050)]
    file = tmp_path / "lines"
    file.write_bytes(b"\r\n".join(texts))
    device = _device()
    with Subscriber(stack.mqtt, readings_topic(device)) as subscriber:
        with _replaying(str(file), stack, device, "--batch", "100") as process:
            assert "1050 acknowledged" in _told(process)
        subscriber.wait(lambda payloads: len(payloads) >= 11)
        assert [payload.count(b"\n") + 1 for payload in subscriber.payloads] == [100] * 10 + [50]
        assert b"\n".join(subscriber.payloads).split(b"\n") == texts


def test_a_broker_that_restarts_in_the_middle_loses_nothing(stack: Stack, tmp_path: Path) -> None:
    texts = [line.removesuffix("\n").encode() for line in lines(Workload(), 6_000)]
    file = tmp_path / "lines"
    file.write_bytes(b"\n".join(texts))
    device = _device()
    with Subscriber(stack.mqtt, readings_topic(device)) as subscriber:
        with _replaying(str(file), stack, device, "--rate", "2000") as process:
            subscriber.wait(lambda payloads: len(payloads) >= 1_000)
            stack.stop_mosquitto()
            assert process.poll() is None
            stack.start_mosquitto()
            told = _told(process)
        assert "6000 acknowledged, 0 refused" in told
        assert "no broker" in told
        assert "no subscriber" not in told
        subscriber.wait(lambda payloads: len(set(payloads)) >= 6_000)
        # Doubles are allowed, losses and leaps are not.
        assert list(dict.fromkeys(subscriber.payloads)) == texts


def test_what_nobody_gets_is_not_a_success(stack: Stack) -> None:
    with _replaying("-", stack, _device()) as process:
        _, told = process.communicate("a\nb\n", timeout=60)
    assert "2 messages had no subscriber" in told
    assert process.returncode == 1


@pytest.mark.parametrize(("number", "code"), ((signal.SIGINT, 130), (signal.SIGTERM, 143)))
def test_a_signal_ends_it_with_an_account(stack: Stack, number: signal.Signals, code: int) -> None:
    device = _device()
    with (
        Subscriber(stack.mqtt, readings_topic(device)) as subscriber,
        _replaying("-", stack, device) as process,
    ):
        assert process.stdin is not None
        process.stdin.write("a\nb\nc\n")
        process.stdin.flush()
        subscriber.wait(lambda payloads: len(payloads) == 3)
        process.send_signal(number)
        assert process.wait(10) == code
        assert process.stderr is not None
        assert "replayed 3 messages: 3 acknowledged" in process.stderr.read()
