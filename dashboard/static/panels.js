// Totals, audit, rejects, offline sensors.

import { byId, fill, set, write } from "./dom.js";
import { STATES } from "./states.js";
import { age, count, instant, moment, NONE, span } from "./units.js";

const AUDIT = [
  ["expected", "Expected"], ["received", "Received"], ["missing", "Missing"], ["explained", "Explained by gaps"],
  ["gaps", "Gap records"], ["duplicated", "Duplicated"], ["unsynced", "Clock not in sync"],
];
const LATE = [["late", "Late"], ["future", "From the future"]];
const REASONS = ["too_large", "not_utf8", "not_json", "missing_field", "wrong_type", "bad_guid", "unknown_state", "bad_event_time", "unknown_format", "bad_temperature", "uncountable"];

const sum = (reasons) => (reasons ? Object.values(reasons).reduce((a, b) => a + b, 0) : undefined);
const signed = (value) => (value < 0 ? `−${count(-value)}` : count(value));

function tile(name, value, note, alarm = false) {
  const box = document.querySelector(`[data-tile="${name}"]`);
  write(box, value);
  write(document.querySelector(`[data-note="${name}"]`), note || "\u00a0");
  box.parentElement.classList.toggle("alarm", alarm);
}

/** Writes the tiles and the three tables below. */
export function paint(snapshot, view) {
  const since = snapshot?.audit_since_start;
  const audit = since ?? snapshot?.audit;
  const rejects = snapshot?.rejected_since_start ?? snapshot?.rejected;
  const scopeWord = { window: "in the last trigger", since_start: "since the start", event: "by event time" }[view.scope];
  const windowMs = snapshot ? instant(snapshot.window.end) - instant(snapshot.window.start) : NaN;
  const span1 = since ? "since the start" : "in the last trigger";
  const about = view.approximate ? "≈ " : "";
  tile("messages", count(view.analytics?.total_messages), view.analytics ? scopeWord : "");
  tile("sensors", view.analytics ? about + count(view.analytics.total_sensors) : NONE, view.analytics ? (view.approximate ? "approximate" : scopeWord) : "");
  tile("offline", count(snapshot?.offline?.total), snapshot ? (snapshot.offline ? offlineStates(snapshot) : "needs the ledger") : "", snapshot?.offline?.total > 0);
  tile("missing", count(audit?.missing), snapshot ? (audit.missing === undefined ? "needs the ledger" : span1) : "", audit?.missing > 0);
  tile("rejected", count(sum(rejects)), snapshot ? (snapshot.rejected_since_start ? "since the start" : "in the last trigger") : "", sum(snapshot?.rejected) > 0);
  tile("trigger", snapshot ? `${count(snapshot.trigger_ms)} ms` : NONE, snapshot ? `of ${(windowMs / 1000).toFixed(1)} s${snapshot.idle ? ", idle" : ""}` : "", snapshot && snapshot.trigger_ms > windowMs);
  tile("lag", count(snapshot?.lag ?? undefined), snapshot ? (snapshot.lag === null ? "not known" : "offsets") : "");
  paintAudit(snapshot);
  paintRejects(snapshot);
  paintOffline(snapshot, view.now);
  set(byId("tiles").children[1], "title", view.approximate);
}

function offlineStates(snapshot) {
  const states = snapshot.offline.by_state;
  if (!states.length) return "none";
  return states.length < 4 ? states.map(([state, n]) => `${state} ${count(n)}`).join(", ") : `in ${states.length} states`;
}

function paintAudit(snapshot) {
  const now = snapshot?.audit ?? {};
  const all = snapshot?.audit_since_start ?? {};
  const rows = AUDIT.map(([key, word]) => [word, signed(now[key]), signed(all[key])]);
  for (const [key, word] of LATE) {
    rows.push([word, count(snapshot?.event_time?.[key] ?? (snapshot ? 0 : undefined)), count(snapshot?.event_time_since_start?.[key])]);
  }
  rows.push(["In several states", count(snapshot?.moved?.total), count(snapshot?.moved_since_start?.total)]);
  fill(byId("audit").tBodies[0], rows, ["", "number", "number"]);
  let note = "";
  if (snapshot && all.expected === undefined) note = "missing needs the ledger";
  else if (snapshot) note = all.missing > 0 ? `${count(all.missing)} missing` : "nothing is missing";
  write(byId("audit-note"), note);
}

function paintRejects(snapshot) {
  const [now, all] = [snapshot?.rejected, snapshot?.rejected_since_start];
  const known = new Set([...REASONS, ...Object.keys(now ?? {}), ...Object.keys(all ?? {})]);
  const rows = [...known].map((reason) => [reason.replaceAll("_", " "), now ? count(now[reason] ?? 0) : NONE, all ? count(all[reason] ?? 0) : NONE]);
  const body = byId("rejects").tBodies[0];
  fill(body, rows, ["", "number", "number"]);
  [...known].forEach((reason, i) => body.rows[i].classList.toggle("zero", !(now?.[reason] || all?.[reason])));
}

function paintOffline(snapshot, now) {
  const offline = snapshot?.offline;
  const sensors = offline?.sensors ?? [];
  const rows = sensors.map((one) => [one.guid, STATES[one.state]?.name ?? one.state, `${moment(instant(one.last_seen), now)}, ${span(now - instant(one.last_seen))} ago`]);
  if (!rows.length) rows.push([offline ? "All sensors are heard." : snapshot ? "Needs the ledger: start the job with the scope since_start." : NONE, "", ""]);
  fill(byId("offline").tBodies[0], rows, ["guid", "", "number"]);
  write(byId("offline-note"), offline?.total > sensors.length ? `the last ${sensors.length} of ${count(offline.total)}` : "");
}

/** How old the snapshot is, counting. */
export const ageText = (at, now) => (Number.isFinite(at) ? `${age(now - at)} ago` : "");
