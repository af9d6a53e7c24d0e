"""A program's table of metrics; out of it the docs' table, and the agent's text for Prometheus.

The programs on a server answer with prometheus-client (`isotherm.http.registry`).

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

MOST_LABEL: Final = 256
"""Characters of a label's value; the rest is cut off."""

V_contra = TypeVar("V_contra", contravariant=True)
V = TypeVar("V")


class Sample(NamedTuple):
    """One value, with the pairs of its labels or none."""

    value: float
    labels: tuple[tuple[str, str], ...] = ()


class Metric(NamedTuple, Generic[V_contra]):
    """One row of the table.

    Attributes:
        name: without the prefix, in base units; a counter ends with ``_total``.
        kind: ``counter`` or ``gauge``.
        help: one sentence.
        read: its samples, out of whatever the program looks at; always the same labels.
        label: the names of its labels, with commas between.
    """

    name: str
    kind: str
    help: str
    read: Callable[[V_contra], Iterable[Sample]]
    label: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels."""
        return tuple(self.label.split(", ")) if self.label else ()


def exposition(prefix: str, metrics: Iterable[Metric[V]], view: V) -> str:
    """All metrics in Prometheus' text format.

    Ours, for the agent: importing prometheus-client takes 4.0 MB resident there, this nothing.
    """
    lines: list[str] = []
    for metric in metrics:
        name = prefix + metric.name
        lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
        for value, labels in metric.read(view):
            pairs = ",".join(f'{label}="{_escaped(word)}"' for label, word in labels)
            lines.append(f"{name}{{{pairs}}} {value}" if pairs else f"{name} {value}")
    return "\n".join(lines) + "\n"


def markdown(prefix: str, metrics: Iterable[Metric[V]]) -> str:
    """The table for the docs."""
    lines = ["| name | type | label | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{prefix}{metric.name}` | {metric.kind} | {metric.label} | {metric.help} |"
        for metric in metrics
    ]
    return "\n".join(lines) + "\n"


def label_value(word: str) -> str:
    """A label's value that UTF-8 can carry, and that is not longer than `MOST_LABEL`."""
    return word[:MOST_LABEL].encode("utf-8", "backslashreplace").decode()


def _escaped(word: str) -> str:
    return label_value(word).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
