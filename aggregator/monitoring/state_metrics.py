"""What the job exports of each state; part of its table of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aggregator.analytics.measures import SHOWN
from aggregator.analytics.scopes import SINCE_START
from isotherm.http.prometheus import Metric, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aggregator.monitoring.view import View


def _states(name: str) -> Callable[[View], Iterable[Sample]]:
    """Of each scope's states with something in them: a state that is silent has no sample.

    Args:
        name: of a list by state, as a snapshot has it.
    """

    def read(view: View) -> Iterable[Sample]:
        scopes = view.observed.last.scopes if view.observed.last else {}
        for scope, analytics in scopes.items():
            rows: Iterable[tuple[str, float]] = analytics.wire()[name]
            for state, value in rows:
                yield Sample(value, (("scope", scope), ("state", state)))

    return read


def _offline(view: View) -> Iterable[Sample]:
    last = view.observed.last
    if last is None or last.offline is None or SINCE_START not in last.scopes:
        return
    silent = dict(last.offline.by_state)
    for state in sorted(
        {state for state, _ in last.scopes[SINCE_START].sensors_by_state} | set(silent)
    ):
        yield Sample(silent.get(state, 0), (("state", state),))


STATE_METRICS: Final[tuple[Metric[View], ...]] = (
    Metric(
        "state_temperature_fahrenheit",
        "gauge",
        "Average temperature of a state in the last snapshot; none where nothing came.",
        _states("average_temperature_by_state"),
        "scope, state",
    ),
    *(
        Metric(
            f"state_{measure.name}_temperature_fahrenheit",
            "gauge",
            f"{measure.shown.about} of a state in the last snapshot; none where it is not known.",
            _states(measure.field),
            "scope, state",
        )
        for measure in SHOWN
        if measure.shown is not None
    ),
    Metric(
        "state_sensors",
        "gauge",
        "Distinct sensors of a state in the last snapshot; none where nothing came.",
        _states("sensors_by_state"),
        "scope, state",
    ),
    Metric(
        "state_offline_sensors",
        "gauge",
        "Sensors of a state that are offline; none without the ledger.",
        _offline,
        "state",
    ),
)
