// The table of all states: ranked averages, sensors, offline sensors, a trend line for each.

import { colour } from "./colour.js";
import { byId, make, set, write } from "./dom.js";
import { STATES } from "./states.js";
import { line, thinned } from "./trend.js";
import { count, degrees, NONE } from "./units.js";

const HOUR_MS = 3600e3;
const WIDTH = 96;
const HEIGHT = 22;
const PARTS = 60;

const rows = {}; // state -> {row, rank, average, sensors, offline, swatch, line}
let order = { by: "average", down: true };

/** Builds the rows once: every state has one, with or without data, so nothing jumps. */
export function build(open, resort) {
  for (const [state, { name }] of Object.entries(STATES)) {
    const button = make("button", { type: "button", class: "name", "data-open": state }, make("span", { class: "swatch", "aria-hidden": "true" }), make("span", { class: "code" }, state), make("span", { class: "full" }, name));
    button.addEventListener("click", () => open(state));
    const curve = make("svg:path", { class: "curve" });
    const spark = make("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sparkline", role: "img", "aria-label": "no trend yet" }, curve);
    const cells = {
      rank: make("td", { class: "rank" }),
      average: make("td", { class: "number strong" }),
      sensors: make("td", { class: "number" }),
      offline: make("td", { class: "number" }),
    };
    const row = make("tr", { "data-state": state }, cells.rank, make("th", { scope: "row" }, button), cells.average, cells.sensors, cells.offline, make("td", { class: "spark" }, spark));
    rows[state] = { row, ...cells, swatch: button.firstChild, spark, curve };
  }
  byId("rows").append(...Object.values(rows).map(({ row }) => row));
  for (const head of document.querySelectorAll("th[data-sort]")) {
    head.firstChild.addEventListener("click", () => {
      const by = head.dataset.sort;
      order = { by, down: order.by === by ? !order.down : by !== "name" };
      for (const other of document.querySelectorAll("th[data-sort]")) {
        set(other, "aria-sort", other === head ? (order.down ? "descending" : "ascending") : null);
      }
      resort();
    });
  }
}

/** The states as the table shows them; `ranks` is highest average first, ties as the job has them. */
function sorted(view) {
  const key = {
    average: (state) => view.averages.get(state),
    sensors: (state) => view.sensors.get(state),
    offline: (state) => view.offline.get(state) ?? (view.sensors.has(state) ? 0 : undefined),
    name: (state) => STATES[state].name,
  }[order.by];
  const sign = order.down ? -1 : 1;
  const tie = (a, b) => (view.ranks.get(a) ?? 99) - (view.ranks.get(b) ?? 99) || (STATES[a].name < STATES[b].name ? -1 : 1);
  return Object.keys(STATES).sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === y) return tie(a, b);
    if (x === undefined || y === undefined) return x === undefined ? 1 : -1; // no data: below, always
    return x < y ? -sign : sign;
  });
}

/** Writes what the view says, and moves the rows whose place has changed. */
export function paint(view) {
  for (const [state, row] of Object.entries(rows)) {
    const average = view.averages.get(state);
    const fill = average === undefined ? "" : colour(average, view.ends);
    if (row.fill !== fill) {
      row.fill = fill;
      row.swatch.style.background = fill;
      row.row.classList.toggle("empty", !fill);
    }
    write(row.rank, view.ranks.has(state) ? String(view.ranks.get(state)) : "");
    write(row.average, average === undefined ? "no data" : degrees(average, view.unit));
    write(row.sensors, view.sensors.has(state) ? count(view.sensors.get(state)) : NONE);
    const off = view.offline.get(state);
    write(row.offline, off ? count(off) : view.knowsOffline ? "0" : NONE);
    row.offline.classList.toggle("some", Boolean(off));
    row.row.classList.toggle("opened", state === view.opened);
  }
  place(sorted(view));
  const silent = Object.keys(STATES).length - view.averages.size;
  write(byId("ranking-note"), `${view.averages.size} with data, ${silent} without`);
}

function place(states) {
  const body = byId("rows");
  const held = document.activeElement?.closest?.("#rows tr") ? document.activeElement : null;
  let at = body.firstElementChild;
  for (const state of states) {
    const { row } = rows[state];
    if (row === at) at = at.nextElementSibling;
    else body.insertBefore(row, at);
  }
  if (held && document.activeElement !== held) held.focus({ preventScroll: true });
}

/** Draws the lines of some states; a line's height shows 10 °F or more, so noise stays small. */
export function sparks(states, trend, view) {
  for (const state of states) {
    const points = thinned(trend.points(view.scope, state, view.now), view.now, PARTS);
    const values = points.map(([, value]) => value);
    const { spark, curve } = rows[state];
    if (!values.length) {
      set(curve, "d", "");
      set(spark, "aria-label", "no trend yet");
      continue;
    }
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const middle = (low + high) / 2;
    const reach = Math.max(10, high - low);
    const x = (at) => ((at - view.now + HOUR_MS) / HOUR_MS) * WIDTH;
    const y = (value) => HEIGHT / 2 - ((value - middle) / reach) * (HEIGHT - 4);
    set(curve, "d", line(points, x, y, (1.6 * HOUR_MS) / PARTS));
    set(spark, "aria-label", `from ${degrees(low, view.unit)} to ${degrees(high, view.unit)}, at last ${degrees(values.at(-1), view.unit)}`);
  }
}
