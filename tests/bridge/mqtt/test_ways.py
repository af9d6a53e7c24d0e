from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.mqtt import paho_private
from bridge.mqtt.paho_public import PublicNamesClient
from bridge.mqtt.ways import TESTED, USUAL, choose, installed, trial
from tests.bridge.mqtt.other_paho import RENAMED, make
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ASK = """
from bridge.doctor.mqtt import check_library
finding = check_library()
print(finding.mark, finding.sentence)
"""

# A paho that reads and connects by something else than the socket that the context gives.
NO_CONTEXT = {"sock = self._ssl_wrap_socket(sock)": "self._ssl_wrap_socket(sock)"}


def said(folder: Path, changes: Mapping[str, str]) -> str:
    """What the doctor says of a paho with these changes."""
    path = os.pathsep.join([str(make(folder, changes)), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_installed_paho_has_the_private_names_that_the_usual_way_needs() -> None:
    why = paho_private.missing()
    assert not why, (
        f"paho-mqtt {installed()} is not as {TESTED} was: {why}. Bridges read it by its public "
        "names; mend bridge/mqtt/paho_private.py"
    )
    assert choose().name == USUAL


def test_both_ways_pass_the_trial() -> None:
    assert trial(paho_private.PrivateNamesClient) == ""
    assert trial(PublicNamesClient) == ""


@pytest.mark.parametrize("name", paho_private.NAMES)
def test_without_one_of_the_names_the_public_way_is_chosen_and_the_name_told(
    tmp_path: Path, name: str
) -> None:
    text = said(tmp_path, {name: RENAMED[name]})
    assert text.startswith("warn paho-mqtt ")
    assert f"Client has no {name} any more" in text
    assert "read by its public ones: nothing is lost" in text


def test_with_another_parameter_the_public_way_is_chosen(tmp_path: Path) -> None:
    text = said(tmp_path, {"def _packet_queue(\n        self,": "def _packet_queue(self, since,"})
    assert "Client._packet_queue takes (self, since, command" in text


def test_a_name_that_does_something_else_is_found_by_the_trial(tmp_path: Path) -> None:
    # The name is there, but paho reads by another.
    reads = {" = self._sock_recv(": " = self._receive("}
    reads["    def _sock_recv("] = (
        "    def _receive(self, size):\n        return Client._sock_recv(self, size)\n\n"
        "    def _sock_recv("
    )
    text = said(tmp_path, reads)
    assert "in a trial, PrivateNamesClient failed: paho does not read what it is left" in text
    assert "read by its public ones" in text


def test_a_queue_that_sends_nothing_is_found_by_the_trial(tmp_path: Path) -> None:
    sends = {"self._packet_queue(": "self._enqueue("}
    sends["    def _packet_queue(\n"] = (
        "    def _packet_queue(self, command, packet, mid, qos):\n        return 0\n\n"
        "    def _enqueue(\n"
    )
    text = said(tmp_path, sends)
    assert "in a trial, PrivateNamesClient did not acknowledge the message" in text


def test_a_paho_that_allows_neither_way_is_refused_with_what_to_install(tmp_path: Path) -> None:
    text = said(tmp_path, {**RENAMED, **NO_CONTEXT})
    assert text.startswith("fail paho-mqtt ")
    assert "PublicNamesClient" in text
    assert "pip install 'paho-mqtt==2.2.*'" in text
