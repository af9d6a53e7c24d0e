// The opened state: its sensors, asked again now and then while it is open.

import { byId, fill, make, set, write } from "./dom.js";
import { refusal } from "./feed.js";
import { STATES } from "./states.js";
import { count, degrees, instant, moment, NONE, span, temperature } from "./units.js";

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
  figures(view);
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

/** The state's numbers in the scope that is shown: its average, and what else is measured. */
function figures({ opened: state, averages, further, unit, now }) {
  const list = byId("figures");
  list.hidden = !state || !further.length;
  if (list.hidden) return;
  const all = [{ word: "Average", values: averages }, ...further];
  while (list.children.length < all.length) list.append(make("div", {}, make("dt"), make("dd")));
  all.forEach(({ word, values, from }, i) => {
    const [name, value] = list.children[i].children;
    const since = from ? `, since ${moment(instant(from), now)}` : "";
    write(name, word + since);
    set(name, "title", from === undefined ? null : "The job's ledger is of a version that did not keep it: it is known from then on.");
    write(value, values.has(state) ? temperature(values.get(state), unit) : NONE);
  });
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
