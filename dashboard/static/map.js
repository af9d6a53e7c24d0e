// The map: one path and one label for each state, small eastern states with a callout.

import { colour, gradient, wantsDarkInk } from "./colour.js";
import { byId, make, set, write } from "./dom.js";
import { STATES } from "./states.js";
import { count, degrees, temperature } from "./units.js";

// Where the label of a state stands that is too small for one: beside it, with a leader line.
const CALLOUTS = {
  VT: [822, 58], NH: [868, 36], MA: [962, 158], RI: [962, 186], CT: [962, 214], NJ: [962, 242],
  DE: [962, 270], MD: [962, 298], DC: [962, 326], HI: [376, 566],
};
// Where a label reads better than in the roomiest place.
const MOVED = { MI: [697, 198], FL: [798, 520], LA: [554, 452], ID: [200, 178], KY: [708, 318], WV: [757, 291], TN: [672, 362] };
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const marks = {}; // state -> {group, shape, code, value}
let ring; // the outline of the opened state, above its neighbours
let halo; // that of the state that has the keyboard
let focused = "KS";
let told = {}; // state -> what the tip says

/** Draws the map without any data; `open(state)` is called for a click, Enter or Space. */
export function draw(open) {
  const svg = make("svg:svg", { viewBox: "0 0 1010 610", role: "group", "aria-labelledby": "map-title", "aria-describedby": "map-help" });
  svg.append(hatch());
  const labels = make("svg:g", { class: "labels", "aria-hidden": "true" });
  for (const [state, { name, at, path }] of Object.entries(STATES)) {
    const shape = make("svg:path", { d: path, class: "state" });
    const group = make("svg:g", { class: "area", role: "button", tabindex: state === focused ? "0" : "-1", "data-state": state, "aria-label": `${name}: no data` }, shape);
    svg.append(group);
    marks[state] = { group, shape, ...label(state, at, labels) };
  }
  // The smallest on top, with a spot that a finger can hit.
  const { group } = marks.DC;
  group.append(make("svg:circle", { cx: STATES.DC.at[0], cy: STATES.DC.at[1], r: 4.5, class: "state spot" }));
  ring = make("svg:path", { class: "ring" });
  halo = make("svg:path", { class: "ring halo" });
  svg.append(group, ring, halo, labels);
  byId("plate").append(svg);
  // Not on the SVG: one that listens for the focus takes it itself.
  listen(byId("plate"), open);
  byId("legend").append(make("span", { class: "ramp", "aria-hidden": "true" }), make("span", { class: "ticks" }),
    make("span", { class: "nodata" }, make("span", { class: "swatch", "aria-hidden": "true" }), "no data"));
  byId("legend").firstChild.style.background = gradient();
}

function hatch() {
  const pattern = make("svg:pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    make("svg:rect", { width: 6, height: 6, class: "hatch-ground" }), make("svg:rect", { width: 1.6, height: 6, class: "hatch-line" }));
  return make("svg:defs", {}, pattern);
}

function label(state, at, labels) {
  const beside = CALLOUTS[state];
  const [x, y] = beside ?? MOVED[state] ?? at;
  if (beside) {
    const end = x > at[0] + 40 ? [x - 26, y - 4] : [x, y + 12];
    if (state !== "HI") labels.append(make("svg:path", { d: `M${at[0]} ${at[1]}L${end[0]} ${end[1]}`, class: "leader" }));
  }
  const code = make("svg:tspan", { x, class: "code" }, state);
  const value = make("svg:tspan", { class: "value" });
  const text = make("svg:text", { x, y, "data-state": state, class: beside ? "label beside" : "label inside" }, code, value);
  if (beside && x > 900) {
    set(code, "x", x - 22);
    text.classList.add("row");
    set(value, "dx", "5");
  } else {
    set(value, "x", x);
    set(value, "dy", "11.5");
  }
  labels.append(text);
  return { text, value };
}

function listen(plate, open) {
  const stateOf = (event) => event.target.closest?.("[data-state]")?.dataset.state;
  plate.addEventListener("click", (event) => stateOf(event) && open(stateOf(event)));
  plate.addEventListener("keydown", (event) => {
    const state = stateOf(event);
    if (!state) return;
    if (event.key === "Enter" || event.key === " ") open(state);
    else if (KEYS[event.key]) focus(neighbour(state, KEYS[event.key]));
    else return;
    event.preventDefault();
  });
  plate.addEventListener("focusin", (event) => stateOf(event) && arrive(stateOf(event)));
  plate.addEventListener("focusout", () => {
    set(halo, "d", "");
    tip(null);
  });
  plate.addEventListener("pointerover", (event) => tip(stateOf(event) ?? null));
  plate.addEventListener("pointerleave", () => tip(null));
}

/** The nearest state in a direction; the one itself where there is none. */
function neighbour(from, [dx, dy]) {
  const [x, y] = STATES[from].at;
  let best = [Infinity, from];
  for (const [state, { at }] of Object.entries(STATES)) {
    const along = (at[0] - x) * dx + (at[1] - y) * dy;
    const aside = Math.abs((at[0] - x) * dy) + Math.abs((at[1] - y) * dx);
    if (state !== from && along > 0 && along >= aside * 0.6) best = along + 2 * aside < best[0] ? [along + 2 * aside, state] : best;
  }
  return best[1];
}

function rove(state) {
  set(marks[focused].group, "tabindex", "-1");
  set(marks[state].group, "tabindex", "0");
  focused = state;
}

function arrive(state) {
  rove(state);
  if (marks[state].group.matches(":focus-visible")) set(halo, "d", STATES[state].path);
  tip(state);
}

/** Puts the keyboard on a state. */
export function focus(state) {
  marks[state].group.focus();
}

/** Colours and labels what the view says; a state without a value is hatched and says so. */
export function paint(view) {
  for (const [state, mark] of Object.entries(marks)) {
    const { name } = STATES[state];
    const average = view.averages.get(state);
    const known = average !== undefined;
    const fill = known ? colour(average, view.ends) : "";
    if (mark.fill !== fill) {
      mark.fill = fill;
      for (const shape of mark.group.children) shape.style.fill = fill;
      mark.text.classList.toggle("dark-ink", known && wantsDarkInk(average, view.ends));
      mark.group.classList.toggle("empty", !known);
      mark.text.classList.toggle("empty", !known);
    }
    write(mark.value, known ? degrees(average, view.unit, 0) : "–");
    const off = view.offline.get(state) ?? 0;
    const words = [temperature(average, view.unit)];
    for (const { word, values } of view.further) {
      if (values.has(state)) words.push(`${word.toLowerCase()} ${degrees(values.get(state), view.unit)}°`);
    }
    words.push(`${view.approximate ? "about " : ""}${count(view.sensors.get(state) ?? 0)} sensors`);
    if (off) words.push(`${count(off)} offline`);
    told[state] = [name, ...words];
    set(mark.group, "aria-label", `${name}: ${words.join(", ")}`);
    set(mark.group, "aria-pressed", String(state === view.opened));
  }
  set(ring, "d", view.opened ? STATES[view.opened].path : "");
  legend(view);
  if (shown) tip(shown);
}

function legend({ ends: [low, high], unit }) {
  const key = `${low} ${high} ${unit}`;
  const ticks = byId("legend").children[1];
  if (ticks.dataset.key === key) return;
  ticks.dataset.key = key;
  ticks.replaceChildren();
  const step = high - low > 80 ? 20 : 10;
  for (let f = Math.ceil(low / step) * step; f <= high; f += step) {
    const tick = make("span", { class: "tick" }, make("b", {}, `${degrees(f, "F", 0)} °F`), make("i", {}, `${degrees(f, "C", 0)} °C`));
    tick.style.left = `${((f - low) / (high - low)) * 100}%`;
    ticks.append(tick);
  }
  byId("legend").dataset.unit = unit;
  set(byId("legend"), "aria-label", `Colours from blue at ${temperature(low, unit, 0)} over yellow to brown at ${temperature(high, unit, 0)}; hatched where there is no data`);
}

let shown = null;

function tip(state) {
  shown = state;
  const box = byId("tip");
  box.hidden = !state || !told[state];
  if (box.hidden) return;
  write(box, "");
  box.append(...told[state].map((text, i) => make(i ? "span" : "strong", {}, text)));
  const [x, y] = STATES[state].at;
  box.style.left = `${Math.min(86, Math.max(14, x / 10.1))}%`;
  box.style.top = `${(y / 610) * 100}%`;
  box.classList.toggle("below", y < 160);
}
