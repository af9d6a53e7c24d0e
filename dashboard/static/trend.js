// The averages of the last hour, by scope and state, in steps of the server's size.

const HOUR_MS = 3600e3;

/** Keeps for each scope and state one value for each step; what is live wins over what was read. */
export class Trend {
  #step = 10_000;
  #scopes = new Map(); // scope -> Map(state -> Map(step's start in ms -> °F))

  get step() {
    return this.#step;
  }

  /** Takes what /api/history answers. */
  load(history) {
    this.#step = history.step_s * 1000;
    const times = history.times.map((time) => this.#floor(Date.parse(time)));
    for (const [scope, states] of Object.entries(history.scopes)) {
      for (const [state, values] of Object.entries(states)) {
        const series = this.#series(scope, state);
        values.forEach((value, i) => {
          if (value !== null && !series.has(times[i])) series.set(times[i], value);
        });
      }
    }
  }

  /** Takes a snapshot; its time is that of its end. */
  add(snapshot) {
    const at = this.#floor(Date.parse(snapshot.window.end));
    for (const [scope, analytics] of Object.entries(snapshot.scopes)) {
      for (const [state, value] of analytics.average_temperature_by_state) {
        const series = this.#series(scope, state);
        series.set(at, value);
        for (const old of series.keys()) {
          // One that was ahead of all clocks goes, too.
          if ((old >= at - HOUR_MS && old <= at + HOUR_MS) || series.size < 2) break;
          series.delete(old);
        }
      }
    }
    return at;
  }

  /** [ms, °F] of the hour before `now`, oldest first; a step without a value is left out. */
  points(scope, state, now) {
    const series = this.#scopes.get(scope)?.get(state);
    if (!series) return [];
    return [...series].filter(([at]) => at > now - HOUR_MS).sort((a, b) => a[0] - b[0]);
  }

  #floor(ms) {
    return Math.floor(ms / this.#step) * this.#step;
  }

  #series(scope, state) {
    if (!this.#scopes.has(scope)) this.#scopes.set(scope, new Map());
    const states = this.#scopes.get(scope);
    if (!states.has(state)) states.set(state, new Map());
    return states.get(state);
  }
}

/** Points thinned to one for each of `parts` of the hour before `now`: the mean of those in it. */
export function thinned(points, now, parts) {
  const size = HOUR_MS / parts;
  const sums = new Map();
  for (const [at, value] of points) {
    const part = Math.floor(at / size);
    const sum = sums.get(part) ?? [0, 0];
    sums.set(part, [sum[0] + value, sum[1] + 1]);
  }
  return [...sums].map(([part, [sum, n]]) => [(part + 0.5) * size, sum / n]);
}

/**
 * SVG path data of a line through the points; where more than `gap` ms lie between two of them
 * it is broken, so that nobody reads a value where none came.
 */
export function line(points, x, y, gap) {
  let path = "";
  let before = -Infinity;
  let alone = false;
  for (const [at, value] of points) {
    const joined = at - before <= gap;
    if (!joined && alone) path += "h.01";
    path += `${joined ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    alone = !joined;
    before = at;
  }
  return alone ? `${path}h.01` : path;
}
