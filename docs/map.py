"""`python -m docs.map states-albers-10m.json`: writes the page's map from a file of us-atlas.

The file is `states-albers-10m.json` of the npm package us-atlas 3.0.1 (ISC; the borders are the
US Census Bureau's, public domain): TopoJSON, already in the Albers USA projection of 975 x 610
units, with Alaska and Hawaii below the south-west. Shared borders are one arc each, so arcs that
are simplified by themselves leave no cracks.
"""

# ruff: noqa: INP001 docs are pages, not a package

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path(__file__).parents[1] / "dashboard" / "static" / "states.js"
DETAIL: Final = 0.6
"""Square units: corners whose triangle is smaller are left out (Visvalingam and Whyatt, 1993)."""
ISLAND: Final = 3.0
"""Square units: islands smaller than this are left out."""

# FIPS 5-2: the numbers that us-atlas has as ids.
# fmt: off
FIPS: Final = {
    "01": "AL", "02": "AK", "04": "AZ", "05": "AR", "06": "CA", "08": "CO", "09": "CT", "10": "DE",
    "11": "DC", "12": "FL", "13": "GA", "15": "HI", "16": "ID", "17": "IL", "18": "IN", "19": "IA",
    "20": "KS", "21": "KY", "22": "LA", "23": "ME", "24": "MD", "25": "MA", "26": "MI", "27": "MN",
    "28": "MS", "29": "MO", "30": "MT", "31": "NE", "32": "NV", "33": "NH", "34": "NJ", "35": "NM",
    "36": "NY", "37": "NC", "38": "ND", "39": "OH", "40": "OK", "41": "OR", "42": "PA", "44": "RI",
    "45": "SC", "46": "SD", "47": "TN", "48": "TX", "49": "UT", "50": "VT", "51": "VA", "53": "WA",
    "54": "WV", "55": "WI", "56": "WY",
}
# fmt: on

Point = tuple[float, float]
Ring = list[Point]


def arcs(topology: dict[str, Any]) -> list[Ring]:
    """The arcs in units of the projection: TopoJSON keeps differences of whole steps."""
    (kx, ky), (dx, dy) = topology["transform"]["scale"], topology["transform"]["translate"]
    decoded = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((x * kx + dx, y * ky + dy))
        decoded.append(points)
    return decoded


def simplified(points: Ring, least: float = DETAIL) -> Ring:
    """Without the corners whose triangle is smaller than `least`, smallest first; ends stay."""
    kept = list(points)
    while len(kept) > (4 if kept[0] == kept[-1] else 2):
        areas = [abs(area((a, b, c))) for a, b, c in zip(kept, kept[1:-1], kept[2:], strict=False)]
        smallest = min(areas)
        if smallest >= least:
            break
        del kept[areas.index(smallest) + 1]
    return kept


def area(ring: Ring | tuple[Point, ...]) -> float:
    """Square units, with a sign for the direction."""
    closed = [*ring, ring[0]]
    return sum((a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed)), 0.0) / 2


def rings(geometry: dict[str, Any], drawn: list[Ring]) -> list[Ring]:
    """The outlines of a state, largest first, without small islands."""
    polygons = geometry["arcs"]
    if geometry["type"] == "Polygon":
        polygons = [polygons]
    found = []
    for polygon in polygons:
        for numbers in polygon:
            ring: Ring = []
            for number in numbers:
                arc = drawn[number] if number >= 0 else drawn[~number][::-1]
                ring.extend(arc[1:] if ring else arc)
            found.append(ring)
    found.sort(key=lambda ring: -abs(area(ring)))
    return [found[0], *(ring for ring in found[1:] if abs(area(ring)) >= ISLAND)]


def path(outlines: list[Ring]) -> str:
    """SVG path data with relative steps of a tenth."""
    parts = []
    for ring in outlines:
        x, y = (round(v * 10) for v in ring[0])
        parts.append(f"M{_tenths(x)} {_tenths(y)}l")
        steps = []
        for point in ring[1:-1]:
            to_x, to_y = (round(v * 10) for v in point)
            if (to_x, to_y) != (x, y):
                steps.append(f"{_tenths(to_x - x)} {_tenths(to_y - y)}")
                x, y = to_x, to_y
        parts.append(" ".join(steps) + "z")
    return "".join(parts).replace(" -", "-")


def _tenths(value: int) -> str:
    text = f"{abs(value) / 10:.1f}".removesuffix(".0")
    return "-" * (value < 0) + (text.removeprefix("0") or "0")


def middle(ring: Ring, steps: int = 40) -> tuple[int, int]:
    """Of a grid the point inside that is farthest from the border: where a label has most room."""
    xs, ys = [p[0] for p in ring], [p[1] for p in ring]
    best = (-1.0, (0.0, 0.0))
    for i in range(1, steps):
        for j in range(1, steps):
            point = (
                min(xs) + (max(xs) - min(xs)) * i / steps,
                min(ys) + (max(ys) - min(ys)) * j / steps,
            )
            if _inside(point, ring):
                best = max(best, (min(_distance(point, a, b) for a, b in pairwise(ring)), point))
    return round(best[1][0]), round(best[1][1])


def _inside(point: Point, ring: Ring) -> bool:
    x, y = point
    crossings = (
        (a[1] > y) != (b[1] > y) and x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]
        for a, b in pairwise(ring)
    )
    return sum(crossings) % 2 == 1


def _distance(point: Point, a: Point, b: Point) -> float:
    """Squared, with a label's shape: height counts as much as 1.6 of width."""
    (px, py), (ax, ay), (bx, by) = ((x / 1.6, y) for x, y in (point, a, b))
    dx, dy = bx - ax, by - ay
    along = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy or 1)
    along = min(1, max(0, along))
    return (px - ax - along * dx) ** 2 + (py - ay - along * dy) ** 2


def module(topology: dict[str, Any]) -> str:
    """The page's module `states.js`."""
    drawn = [simplified(arc) for arc in arcs(topology)]
    lines = []
    for geometry in topology["objects"]["states"]["geometries"]:
        code = FIPS.get(geometry["id"])
        if code is None:
            continue  # Territories are no states of the contract.
        outlines = rings(geometry, drawn)
        x, y = middle(outlines[0])
        name = geometry["properties"]["name"]
        lines.append(
            f'  {code}: {{ name: "{name}", at: [{x}, {y}],\n    path: "{path(outlines)}" }},'
        )
    lines.sort()
    head = (
        "// Written by `python -m docs.map` from us-atlas 3.0.1; see ASSETS.md.\n"
        "// By state: its name, where a label has most room, its outline; 975 x 610 units.\n"
    )
    return head + "export const STATES = {\n" + "\n".join(lines) + "\n};\n"


def main() -> None:
    """Write the map from the file that is named."""
    if len(sys.argv) != 2:  # noqa: PLR2004 the program and its one argument
        sys.exit("usage: python -m docs.map states-albers-10m.json (of the npm package us-atlas)")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    text = module(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
