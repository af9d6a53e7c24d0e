"""Prometheus' text format, and the docs' table, out of a program's table of metrics.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

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
        label: the names of its labels, for the docs.
    """

    name: str
    kind: str
    help: str
    read: Callable[[V_contra], Iterable[Sample]]
    label: str = ""


def exposition(prefix: str, metrics: Iterable[Metric[V]], view: V) -> str:
    """All metrics in Prometheus' text format."""
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


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
