// The chart of the last hour: a thin line for each state, the opened one on top with its numbers.

import { colour } from "./colour.js";
import { byId, make, set, write } from "./dom.js";
import { STATES } from "./states.js";
import { line, thinned } from "./trend.js";
import { degrees, inUnit, temperature } from "./units.js";

const HOUR_MS = 3600e3;
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 44, 10, 24];
const PARTS = 120;

const curves = {}; // state -> path
let marks;
let names;
let top;
let [width, height] = [720, 240]; // as the chart is on the screen, pixels

/** Builds the chart without lines; `open(state)` for a click on a line, `resized()` for a new size. */
export function build(open, resized) {
  const svg = make("svg:svg", { "aria-hidden": "true" });
  marks = make("svg:g", { class: "marks" });
  names = make("svg:g", { class: "names" });
  top = make("svg:path", { class: "curve chosen" });
  svg.append(marks);
  for (const state of Object.keys(STATES)) {
    curves[state] = make("svg:path", { class: "curve", "data-state": state });
    curves[state].addEventListener("click", () => open(state));
    svg.append(curves[state]);
  }
  svg.append(top, names);
  byId("chart").append(svg);
  new ResizeObserver(([{ contentRect }]) => {
    [width, height] = [contentRect.width, contentRect.height];
    resized();
  }).observe(byId("chart"));
}

/** Draws all lines anew: done once for each step of the trend, not for each snapshot. */
export function paint(trend, view) {
  const lines = new Map();
  for (const state of Object.keys(STATES)) {
    lines.set(state, thinned(trend.points(view.scope, state, view.now), view.now, PARTS));
  }
  const shown = view.opened ? lines.get(view.opened) : [...lines.values()].flat();
  const [low, high] = range(shown.map(([, value]) => value), view.unit);
  const x = (at) => LEFT + ((at - view.now + HOUR_MS) / HOUR_MS) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((high - inUnit(value, view.unit)) / (high - low)) * (height - TOP - BOTTOM);
  const gap = Math.max(1.6 * (HOUR_MS / PARTS), 1.6 * trend.step);
  for (const [state, points] of lines) {
    const curve = curves[state];
    const d = view.opened && view.opened !== state ? "" : line(points, x, y, gap);
    set(curve, "d", d);
    const last = points.at(-1);
    curve.style.setProperty("--line", last ? colour(last[1], view.ends) : "");
  }
  set(top, "d", view.opened ? line(lines.get(view.opened), x, y, gap) : "");
  axis(low, high, y, view);
  name(lines, x, y, view);
  describe(lines, view);
}

function range(values, unit) {
  if (!values.length) return unit === "C" ? [-10, 30] : [20, 80];
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    const v = inUnit(value, unit);
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const least = unit === "C" ? 3 : 6;
  const room = Math.max((high - low) * 0.06, (least - (high - low)) / 2, 0);
  return [low - room, high + room];
}

function axis(low, high, y, view) {
  const steps = [1, 2, 5, 10, 20, 50];
  const step = steps.find((size) => (high - low) / size <= 6) ?? 100;
  const parts = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) {
    const at = y(view.unit === "C" ? (v * 9) / 5 + 32 : v);
    parts.push(make("svg:path", { d: `M${LEFT} ${at.toFixed(1)}H${width - RIGHT}`, class: "grid" }),
      make("svg:text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, `${v}°`.replace("-", "−")));
  }
  for (const minutes of width > 480 ? [60, 45, 30, 15, 0] : [60, 30, 0]) {
    const at = LEFT + (1 - minutes / 60) * (width - LEFT - RIGHT);
    parts.push(make("svg:text", { x: at, y: height - 6, "text-anchor": "middle" }, minutes ? `−${minutes} min` : "now"));
  }
  marks.replaceChildren(...parts);
}

/** The names at the lines' ends: of the opened state, or of those whose names have room. */
function name(lines, x, y, view) {
  const ends = [];
  for (const [state, points] of lines) {
    const last = points.at(-1);
    if (last && (!view.opened || view.opened === state)) ends.push([y(last[1]), state, last]);
  }
  ends.sort((a, b) => a[0] - b[0]);
  const parts = [];
  let before = -Infinity;
  for (const [at, state, last] of ends) {
    if (at - before < 11) continue;
    before = at;
    const text = view.opened ? degrees(last[1], view.unit) : state;
    parts.push(make("svg:text", { x: Math.min(x(last[0]) + 5, width - RIGHT + 4), y: at + 4, class: view.opened ? "strong" : "" }, text));
  }
  names.replaceChildren(...parts);
}

function describe(lines, view) {
  const points = view.opened ? lines.get(view.opened) : [];
  const values = points.map(([, value]) => value);
  let words = "Trend lines of all states over the last hour; the table has each state's in words";
  if (view.opened) {
    words = values.length
      ? `${STATES[view.opened].name}, last hour: from ${temperature(Math.min(...values), view.unit)} to ${temperature(Math.max(...values), view.unit)}, at last ${temperature(values.at(-1), view.unit)}`
      : `${STATES[view.opened].name}: nothing in the last hour`;
  }
  set(byId("chart"), "aria-label", words);
  const any = [...lines.values()].some((of) => of.length);
  write(byId("trend-note"), view.opened ? (values.length ? "" : "nothing came") : any ? "a line for each state; choose one to see its sensors" : "nothing came yet");
}
