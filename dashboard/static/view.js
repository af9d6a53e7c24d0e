// What the page shows, as one value made from a snapshot and the reader's choices. No document here.

import { domain } from "./colour.js";
import { MEASURES } from "./measures.js";

export const SCOPES = ["event", "window", "since_start"];

/** The scope to show: the reader's choice where the snapshot has it, else the first that it has. */
export function scopeOf(snapshot, chosen) {
  const has = snapshot ? SCOPES.filter((scope) => scope in snapshot.scopes) : [];
  return has.includes(chosen) ? chosen : has[0] ?? chosen ?? "window";
}

/** What is approximate, and within what, where a snapshot says so of the scope; else null. */
export function approximation(snapshot, scope) {
  const said = scope === "since_start" ? snapshot?.approximate : null;
  if (!said) return null;
  const bound = said.relative_error ? `, within ${(said.relative_error * 100).toFixed(1)} % in ${Math.round(said.confidence * 100)} of 100 cases` : "";
  return `Sensor counts are approximate: more sensors came than the ledger has room for${bound}.`;
}

/**
 * @param {object|null} snapshot isotherm.snapshot/1
 * @param {{scope: string, unit: string, opened: string|null}} choices the reader's
 * @param {number[]|undefined} ends the colour scale's before
 * @param {number} now the server's clock, ms since 1970
 */
export function makeView(snapshot, { scope: chosen, unit, opened }, ends, now) {
  const scope = scopeOf(snapshot, chosen);
  const analytics = snapshot?.scopes[scope] ?? null;
  const ranked = analytics?.average_temperature_by_state ?? [];
  const averages = new Map(ranked);
  return {
    scope,
    unit,
    opened,
    now,
    analytics,
    averages,
    ranks: new Map(ranked.map(([state], i) => [state, i + 1])),
    sensors: new Map(analytics?.sensors_by_state ?? []),
    further: MEASURES.map(([field, word]) => ({
      word,
      values: new Map(analytics?.[field] ?? []),
      // From when on it is known, where that is not the scope's whole time; null before it.
      from: scope === "since_start" ? snapshot?.known_from?.[field] : undefined,
    })),
    offline: new Map(snapshot?.offline?.by_state ?? []),
    knowsOffline: Boolean(snapshot?.offline),
    approximate: approximation(snapshot, scope),
    ends: domain(averages.values(), ends),
  };
}

/**
 * What is to be told of the feed: {state, word, text}; states: waiting, empty, live, stale, down, lost.
 * @param {object} feed {envelope, connected, why, since, retryAt} with ms of the server's clock
 */
export function health(feed, now, { span, moment }) {
  const { envelope } = feed;
  const at = envelope?.snapshot ? Date.parse(envelope.snapshot.window.end) : NaN;
  const old = Number.isFinite(at) && now - at > envelope.stale_after_s * 1000;
  const since = Number.isFinite(at) ? ` No snapshot since ${moment(at, now)}, ${span(now - at)} ago.` : "";
  if (!feed.connected && feed.since !== null) {
    return { state: "lost", word: "disconnected", at, text: `The page's server cannot be reached since ${moment(feed.since, now)}: ${feed.why}. Trying again.${old ? since : ""}` };
  }
  if (!envelope) return { state: "waiting", word: "connecting", at, text: "Connecting to the page's server." };
  if (!envelope.source.up) {
    return { state: "down", word: "source down", at, text: `${envelope.source.name} cannot be read: ${envelope.source.why || "no reason is known"}.${since}` };
  }
  if (!envelope.snapshot) return { state: "empty", word: "no data yet", at, text: `No snapshot in ${envelope.source.name} yet. The job writes one every few seconds once it runs.` };
  if (old) return { state: "stale", word: "stale", at, text: `Stale.${since} The numbers are the last that came; is the job running?` };
  return { state: "live", word: "live", at, text: "" };
}
