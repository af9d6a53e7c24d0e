import signal
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import Stack
from isotherm.contract.verdict import decode
from isotherm.mqtt.topics import readings_topic
from tests.edge_agent.support.subscriber import Subscriber

pytestmark = [pytest.mark.integration, pytest.mark.lowest]

PROBES = 500


def _config(folder: Path, url: str, device: str) -> Path:
    file = folder / "agent.toml"
    probes = "".join(
        f'[[probe]]\nguid = "{device}-{number}"\ndriver = "simulated"\ninterval = "500ms"\n'
        for number in range(PROBES)
    )
    head = f'[device]\nid = "{device}"\nstate = "CA"\n[mqtt]\nurl = "{url}"\n'
    file.write_text(head + probes, encoding="utf-8")
    return file


@contextmanager
def _running(config: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "edge_agent", "run", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _seqs(payloads: list[bytes]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for payload in payloads:
        assert len(payload) <= 65_536
        for line in payload.split(b"\n"):
            reading = decode(line)
            assert reading.origin is not None
            found[reading.guid].append(reading.origin.seq)
    return found


def test_all_probes_publish_valid_readings_and_sigterm_ends_it_well(
    stack: Stack, tmp_path: Path
) -> None:
    device = f"run-{uuid.uuid4().hex[:12]}"
    with (
        Subscriber(stack.mqtt, readings_topic(device)) as subscriber,
        _running(_config(tmp_path, stack.mqtt, device)) as process,
    ):
        subscriber.wait(lambda payloads: sum(p.count(b"\n") + 1 for p in payloads) >= 3 * PROBES)
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0
        assert process.stderr is not None
        told = process.stderr.read().splitlines()
        # The last words are the account: all that was read was acknowledged.
        count = int(told[-1].partition("acknowledged=")[2].split()[0])
        assert "lost_from_memory=0" in told[-1]
        subscriber.wait(lambda payloads: sum(p.count(b"\n") + 1 for p in payloads) >= count)
        seqs = _seqs(subscriber.payloads)
    assert len(seqs) == PROBES
    for found in seqs.values():
        assert found == list(range(1, count // PROBES + 1))


def test_readings_of_an_outage_arrive_when_the_broker_is_back(stack: Stack, tmp_path: Path) -> None:
    device = f"run-{uuid.uuid4().hex[:12]}"
    with (
        Subscriber(stack.mqtt, readings_topic(device)) as subscriber,
        _running(_config(tmp_path, stack.mqtt, device)) as process,
    ):
        subscriber.wait(lambda payloads: len(payloads) >= 1)
        stack.stop_mosquitto()
        before = len(subscriber.payloads)
        assert process.stderr is not None
        # It has noticed; what it reads from now on waits in memory.
        assert any("no broker" in line for line in process.stderr)
        stack.start_mosquitto()
        subscriber.wait(lambda payloads: len(payloads) >= before + 8)
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0
        seqs = _seqs(subscriber.payloads)
    for found in seqs.values():
        # Nothing is missing up to the last one seen; what waited longer may come after live ones.
        assert sorted(set(found)) == list(range(1, max(found) + 1))
