"""The MQTT broker restarts, and refuses."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy.local.process import Guard
from deploy.local.services.mosquitto import Mosquitto
from tests.bridge.kafka.sink_bench import CLIENTS
from tests.faults.flow import Flow
from tests.support import program, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deploy.local import Stack

pytestmark = pytest.mark.integration


# The source stops before each restart: what it had not been acknowledged it would send again, and
# the broker would take that for new messages.
@pytest.mark.faults
@pytest.mark.parametrize("client", CLIENTS)
def test_mosquitto_restarted_in_the_middle_of_its_backlog(
    stack: Stack, report: Callable[[str], None], client: str
) -> None:
    with Flow(stack, client, report) as flow:
        with flow.bridge() as bridge:
            bridge.await_line("ready")
            assert bridge.end() == 0
        source = flow.start()
        source.await_sent(60_000)
        source.stop()
        # A small window, so that there is a middle.
        with flow.bridge("--receive-maximum", "20") as bridge:
            bridge.await_line("ready")
            for count in (10_000, 25_000, 40_000):
                flow.await_delivered(count)
                stack.stop_mosquitto()
                stack.start_mosquitto()
                assert "session=resumed" in bridge.await_line("mqtt connected")
            flow.finish(bridge, "3 restarts")


class GuardedMosquitto(Mosquitto):
    """One that asks for a password."""

    def command(self) -> Sequence[str]:
        """With a file of passwords, and a configuration that names it."""
        users = self.folder / "users"
        if not users.exists():
            subprocess.run(
                ["mosquitto_passwd", "-c", "-b", str(users), "bridge", "right"], check=True
            )
        text = self._config.read_text(encoding="utf-8")
        text = text.replace("allow_anonymous true", f"allow_anonymous false\npassword_file {users}")
        self._config.write_text(text, encoding="utf-8")
        return super().command()

    def answers(self) -> bool:
        """It listens, which is all that whoever has no password can tell."""
        return True


@pytest.mark.parametrize("version", ("5", "3.1.1"))
def test_a_wrong_mqtt_password_is_named(stack: Stack, tmp_path: Path, version: str) -> None:
    broker = GuardedMosquitto(tmp_path, guard := Guard(), None, usual_ports=False)
    topic = unique("password")
    stack.create_topics(topic, f"{topic}.dead-letter")
    (tmp_path / "password").write_text("wrong-and-secret")
    (tmp_path / "bridge.toml").write_text(
        f'[mqtt]\nusername = "bridge"\npassword_file = "{tmp_path}/password"\n'
        f'version = "{version}"\n'
    )
    try:
        broker.prepare()
        broker.launch()
        broker.wait_ready()
        with program(
            *("bridge", "run", "--mqtt", f"mqtt://127.0.0.1:{broker.port}"),
            *("--kafka", stack.kafka, "--topic", topic, "--config", str(tmp_path / "bridge.toml")),
        ) as bridge:
            said = bridge.await_line("mqtt refuses this bridge")
            assert "mqtt.username with the password in mqtt.password_file" in said
            assert bridge.end() == 0
            assert "wrong-and-secret" not in "\n".join(bridge.lines)
    finally:
        broker.stop(kill=True)
        guard.close()
