"""All checks in turn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.doctor.broker import check_broker, check_note
from edge_agent.doctor.broker_session import ask_broker
from edge_agent.doctor.last_will import last_will
from edge_agent.doctor.outbox import check_outbox, look_at_outbox
from edge_agent.doctor.probes import check_probes
from edge_agent.doctor.unit import check_unit, unit_facts
from edge_agent.mqtt.broker.note import FACT, decode_note
from edge_agent.mqtt.options import check_files
from edge_agent.outbox.clock import boot_id
from edge_agent.sampling.places import places
from edge_agent.sampling.read_all import read_all
from isotherm.doctor.clock import check_clock
from isotherm.doctor.finding import fail, ok
from isotherm.doctor.secrets import check_secrets
from isotherm.errors import SettingsError
from isotherm.kernel_clock import kernel_in_sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.doctor.outbox import OutboxFacts
    from edge_agent.settings.agent import AgentSettings
    from isotherm.doctor.finding import Finding


def examine(settings: AgentSettings, config: str) -> Iterator[Finding]:
    """Look at everything that the agent depends on; each finding comes as soon as it is made.

    Args:
        settings: as `run` would have them.
        config: the file that they come from, for people.
    """
    number = len(settings.probes)
    yield ok("configuration", f"{config} is fine: probes {number}, as {settings.client_id}")
    yield from check_secrets(
        {"mqtt.password_file": settings.password_file, "mqtt.key_file": settings.key_file}
    )
    yield from _probes(settings)
    outbox = look_at_outbox(Path(settings.outbox))
    yield from check_outbox(
        outbox,
        path=settings.outbox,
        max_bytes=settings.max_bytes,
        min_free=settings.min_free_bytes,
        commit_s=settings.commit_interval,
    )
    yield _clock(settings)
    yield from _broker(settings, outbox)
    yield from check_unit(unit_facts())


def _broker(settings: AgentSettings, outbox: OutboxFacts) -> Iterator[Finding]:
    url, device, window = str(settings.mqtt), settings.client_id, settings.window
    note = decode_note(outbox.facts.get(FACT))
    name = "mqtt.username" if settings.username or settings.mqtt.username else ""
    name = name or ("the name in mqtt.cert_file" if settings.cert_file else "")
    try:
        check_files(settings)
        if outbox.in_use and name:
            yield from check_note(note, url=url, device=device, window=window, name=name)
            return
        facts = ask_broker(settings, last_will(outbox.facts))
    except SettingsError as error:
        yield fail("mqtt", str(error))
        return
    yield from check_broker(
        facts,
        url=url,
        device=device,
        window=window,
        boot=boot_id(),
        in_use=outbox.in_use,
        note=note,
    )


def _probes(settings: AgentSettings) -> Iterator[Finding]:
    samples, status = read_all(places(settings))
    yield from check_probes(
        {probe.guid: probe.driver for probe in settings.probes},
        {sample.guid: sample.temperature for sample in samples},
        status,
    )


def _clock(settings: AgentSettings) -> Finding:
    if settings.clock_trust:
        return ok("clock", "clock.trust = true: it is taken as right, whatever the kernel says")
    return check_clock(
        kernel_in_sync(),
        f"readings wait {settings.clock_wait:.0f} s (clock.wait) after each start and go out as "
        "unsynced; where it is right without one, clock.trust = true",
    )
