// The opened state: its sensors, asked again now and then while it is open.

import { byId, fill, write } from "./dom.js";
import { refusal } from "./feed.js";
import { STATES } from "./states.js";
import { count, degrees, instant, moment, span } from "./units.js";

const AGAIN_MS = 10_000;
const LIMIT = 100;

let asked = { state: null, at: 0 };
let answer = null;

/** Shows or hides the sensors; asks for them where they are old. */
export function paint(view) {
  const { opened: state } = view;
  byId("sensors").hidden = !state;
  byId("close").hidden = !state;
  write(byId("trend-title"), state ? STATES[state].name : "The last hour");
  if (!state) {
    asked = { state: null, at: 0 };
    return;
  }
  const fresh = asked.state === state;
  if (!fresh) {
    answer = null;
    write(byId("sensors-note"), "Asking for its sensors …");
    fill(byId("sensor-rows"), []);
  }
  if (!fresh || performance.now() - asked.at > AGAIN_MS) {
    asked = { state, at: performance.now() };
    ask(state, view);
  } else if (answer) show(view);
}

async function ask(state, view) {
  let got;
  try {
    const response = await fetch(`/api/sensors/${state}?limit=${LIMIT}`, { cache: "no-store" });
    got = response.ok ? await response.json() : { error: await refusal(response) };
  } catch {
    got = { error: "The page's server cannot be reached." };
  }
  if (asked.state !== state) return;
  answer = got;
  show(view);
}

function show({ unit, now }) {
  if (answer.error) {
    write(byId("sensors-note"), `Its sensors are not known: ${answer.error}`);
    fill(byId("sensor-rows"), []);
    return;
  }
  const { sensors, total } = answer;
  write(byId("sensors-note"), total > sensors.length ? `${count(sensors.length)} of ${count(total)} sensors` : `${count(total)} sensors`);
  const rows = sensors.map((one) => [
    one.guid, degrees(one.average_temperature, unit), count(one.readings), moment(instant(one.last_seen), now),
    one.offline ? `offline, ${span(now - instant(one.last_seen))}` : "heard",
  ]);
  const body = byId("sensor-rows");
  fill(body, rows, ["guid", "number", "number", "", ""]);
  sensors.forEach((one, i) => body.rows[i].classList.toggle("some", one.offline));
}
