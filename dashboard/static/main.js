// Wires the page: the feed comes in, the choices are remembered, and each part paints the view.

import * as chart from "./chart.js";
import { byId, set, write } from "./dom.js";
import { follow } from "./feed.js";
import * as map from "./map.js";
import * as opened from "./opened.js";
import * as panels from "./panels.js";
import * as ranking from "./ranking.js";
import { STATES } from "./states.js";
import { Trend } from "./trend.js";
import { count, moment, span } from "./units.js";
import { health, makeView, scopeOf } from "./view.js";

const SPARKS_AT_ONCE = 13; // so that no frame has to draw all 51

const choices = { scope: remembered("scope", ""), unit: remembered("unit", "F"), opened: null };
const feed = { envelope: null, connected: false, why: "", since: null };
let trend = new Trend();
let drawn = NaN; // the trend's step that the chart shows
let offset = 0; // the server's clock minus ours
let ends; // of the colour scale: it only grows, so that colours keep their meaning
let view = makeView(null, choices, ends, Date.now());
let before = ""; // the state of health that was told last
let back = null; // what had the keyboard before a state was opened

function remembered(key, usual) {
  try {
    return localStorage.getItem(`isotherm.${key}`) || usual;
  } catch {
    return usual; // The browser keeps nothing for us: the page works all the same.
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(`isotherm.${key}`, value);
  } catch {
    // As above.
  }
}

const now = () => Date.now() + offset;
let asked = 0;
/** Paints once in the next frame, however often it is asked for. */
function repaint() {
  asked ||= requestAnimationFrame(() => {
    asked = 0;
    paint();
  });
}

function paint() {
  const snapshot = feed.envelope?.snapshot ?? null;
  view = makeView(snapshot, choices, ends, now());
  ends = view.ends;
  for (const input of document.querySelectorAll("input[name=scope]")) {
    input.checked = input.value === view.scope;
    input.disabled = Boolean(snapshot) && !(input.value in snapshot.scopes);
  }
  byId("scope-event").hidden = !(snapshot && "event" in snapshot.scopes);
  write(byId("as-of"), view.scope === "event" ? eventWindow(snapshot.event_window) : "");
  map.paint(view);
  ranking.paint(view);
  panels.paint(snapshot, view);
  opened.paint(view);
  const step = Math.floor(view.now / trend.step);
  if (step !== drawn) {
    drawn = step;
    drawSparks(Object.keys(STATES));
  }
  tick();
}

function eventWindow(of) {
  if (!of?.start) return "";
  const late = of.too_late ? `, ${count(of.too_late)} too late for it` : "";
  return `readings from ${moment(Date.parse(of.start), view.now)} to ${moment(Date.parse(of.end), view.now)}${late}`;
}

/** The lines of the table, some in each frame, and after them the chart in one of its own. */
function drawSparks(states) {
  requestAnimationFrame(() => {
    ranking.sparks(states.slice(0, SPARKS_AT_ONCE), trend, view);
    if (states.length > SPARKS_AT_ONCE) drawSparks(states.slice(SPARKS_AT_ONCE));
    else requestAnimationFrame(() => chart.paint(trend, view));
  });
}

/** What counts on between snapshots: the age, and whether the page is still to be believed. */
function tick() {
  const told = health(feed, now(), { span, moment });
  write(byId("pulse-age"), panels.ageText(told.at, now()));
  write(byId("notice"), told.text || `${feed.envelope.source.name}, snapshot of ${moment(told.at, now())}${view.approximate ? `. ${view.approximate}` : ""}`);
  if (told.state === before) return;
  set(byId("pulse"), "data-state", told.state);
  write(byId("pulse-word"), told.word);
  set(byId("notice"), "data-kind", { live: "none", waiting: "none", empty: "info" }[told.state] ?? "bad");
  const stale = told.state === "stale" || ((told.state === "lost" || told.state === "down") && Boolean(feed.envelope?.snapshot));
  byId("map").classList.toggle("stale", stale);
  write(byId("stamp"), stale ? `${told.word}: as of ${moment(told.at, now())}` : "");
  // Only a change of state is read out: a voice every 3 s would be noise.
  if (told.state !== "live" || (before !== "waiting" && before !== "")) write(byId("spoken"), told.text || "Live again.");
  before = told.state;
}

function open(state) {
  if (!state || state === choices.opened) return close();
  if (!choices.opened) back = document.activeElement;
  choices.opened = state;
  drawn = NaN;
  paint();
  byId("opened").focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  byId("opened").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

function close() {
  if (!choices.opened) return;
  choices.opened = null;
  drawn = NaN;
  paint();
  if (back?.isConnected) back.focus();
}

async function loadHistory() {
  const into = trend;
  try {
    const answer = await fetch("/api/history?minutes=60", { cache: "no-store" });
    if (!answer.ok) return;
    into.load(await answer.json());
    drawn = NaN;
    repaint();
  } catch {
    // The stream tells that the server is away, and asks again when it is back.
  }
}

const on = {
  snapshot(envelope) {
    offset = Date.parse(envelope.now) - Date.now();
    feed.envelope = envelope.snapshot || !feed.envelope ? envelope : { ...envelope, snapshot: feed.envelope.snapshot };
    if (envelope.snapshot) trend.add(envelope.snapshot);
  },
  source(source) {
    if (feed.envelope) feed.envelope = { ...feed.envelope, source };
  },
  reset() {
    trend = new Trend(); // What came between is not known to the stream: the history is.
    drawn = NaN;
    loadHistory();
  },
};

function start() {
  map.draw(open);
  ranking.build(open, repaint);
  chart.build(open, () => {
    drawn = NaN;
    repaint();
  });
  choose("scope", (value) => (choices.scope = value));
  choose("unit", (value) => (choices.unit = value));
  byId("theme").value = document.documentElement.dataset.theme;
  byId("theme").addEventListener("change", () => {
    document.documentElement.dataset.theme = byId("theme").value;
    remember("theme", byId("theme").value);
  });
  byId("close").addEventListener("click", close);
  addEventListener("keydown", (event) => event.key === "Escape" && close());
  document.addEventListener("visibilitychange", repaint);
  setInterval(tick, 500);
  paint();
  let known = false;
  follow({
    open() {
      feed.connected = true;
      feed.since = null;
      if (!known) loadHistory();
      known = true;
      repaint();
    },
    event(name, data) {
      on[name]?.(data);
      repaint();
    },
    lost(why) {
      feed.connected = false;
      feed.since ??= now();
      feed.why = why;
      repaint();
    },
  });
}

function choose(name, take) {
  const inputs = document.querySelectorAll(`input[name=${name}]`);
  const held = name === "scope" ? scopeOf(null, choices.scope) : choices[name];
  for (const input of inputs) {
    input.checked = input.value === held;
    input.addEventListener("change", () => {
      take(input.value);
      remember(name, input.value);
      drawn = NaN;
      repaint();
    });
  }
}

start();

/** How many steps of the last hour have a value: for tests and for the curious at the console. */
export const steps = (scope, state) => trend.points(scope, state, now()).length;
