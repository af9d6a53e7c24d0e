// How numbers, temperatures and times are written.

const whole = new Intl.NumberFormat("en-US");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const NONE = "–";

/** A count with its thousands apart; a dash where it is not known. */
export const count = (value) => (Number.isFinite(value) ? whole.format(value) : NONE);

/** Degrees Fahrenheit in the unit that is shown, as a number. */
export const inUnit = (fahrenheit, unit) => (unit === "C" ? ((fahrenheit - 32) * 5) / 9 : fahrenheit);

/** Degrees Fahrenheit as text without the unit; a dash, never 0, where there is no value. */
export function degrees(fahrenheit, unit, digits = 1) {
  if (!Number.isFinite(fahrenheit)) return NONE;
  const text = inUnit(fahrenheit, unit).toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** The same with its unit: "59.4 °F". */
export const temperature = (fahrenheit, unit, digits = 1) =>
  Number.isFinite(fahrenheit) ? `${degrees(fahrenheit, unit, digits)} °${unit}` : "no data";

/** Milliseconds since 1970 of a time of the API; NaN where there is none. */
export const instant = (text) => (text ? Date.parse(text) : NaN);

/** A moment as the reader's clock shows it, with the day where that is not today's. */
export function moment(ms, now) {
  if (!Number.isFinite(ms)) return NONE;
  return Math.abs(now - ms) < 12 * 3600e3 ? clock.format(ms) : day.format(ms);
}

/** How long something took or takes, in two units at most: "4 min 5 s". */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** An age with tenths while it is short, so that the eye sees it counting. */
export const age = (ms) => (ms < 9950 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : span(ms));
