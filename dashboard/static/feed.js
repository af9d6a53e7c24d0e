// The stream of snapshots: reconnects by itself, and resumes after the last event that came.
// fetch instead of EventSource: it sees the comment lines by which a dead peer is noticed, and
// the status and the words of a refusal.

const SILENT_MS = 12_000; // the server says something every 5 s
const WAITS_MS = [250, 500, 1000, 2000, 4000, 5000];

/** Splits the bytes of a stream into Server-Sent Events; `push` gives those that are complete. */
export class Events {
  #rest = "";
  #decoder = new TextDecoder();

  push(bytes) {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r?\n\r?\n/);
    this.#rest = parts.pop();
    return parts.map(parsed).filter((event) => event.data !== "");
  }
}

function parsed(text) {
  const event = { name: "message", id: null, data: "" };
  for (const line of text.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") event.name = value;
    else if (field === "id") event.id = value;
    else if (field === "data") event.data += (event.data ? "\n" : "") + value;
  }
  return event;
}

/**
 * Follows the stream until the page goes.
 * @param {{event: (name: string, data: object) => void, lost: (why: string, waitMs: number) => void,
 *   open: () => void}} told what happens, in order
 */
export async function follow(told) {
  let last = null;
  for (let failures = 0; ; failures++) {
    let why = "its stream ended";
    const aborter = new AbortController();
    try {
      why = await read(last, aborter, {
        open: () => {
          told.open();
        },
        event: (event) => {
          failures = 0;
          told.event(event.name, JSON.parse(event.data));
          if (event.id !== null) last = event.id;
        },
      });
    } catch (error) {
      why = aborter.signal.aborted ? "it fell silent" : error.refused || "it does not answer";
    }
    aborter.abort();
    const wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)] * (0.8 + 0.4 * Math.random());
    told.lost(why, wait);
    await pause(wait);
  }
}

async function read(last, aborter, told) {
  let alarm = setTimeout(() => aborter.abort(), SILENT_MS);
  try {
    const headers = { Accept: "text/event-stream" };
    if (last !== null) headers["Last-Event-ID"] = last;
    const answer = await fetch("/events", { headers, cache: "no-store", signal: aborter.signal });
    if (!answer.ok) throw Object.assign(new Error(), { refused: await refusal(answer) });
    told.open();
    const events = new Events();
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "its stream ended";
      clearTimeout(alarm);
      alarm = setTimeout(() => aborter.abort(), SILENT_MS);
      for (const event of events.push(value)) told.event(event);
    }
  } finally {
    clearTimeout(alarm);
  }
}

/** Why the server refuses, in its own words where it has some. */
export async function refusal(answer) {
  const said = await answer.json().catch(() => ({}));
  if (said.error) return said.error;
  if (answer.status === 401) return "it wants its token: open /?token=… once";
  return `it answers ${answer.status}`;
}

/** Waits, but no longer than until the network or the reader is back. */
function pause(ms) {
  return new Promise((resume) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", shown);
      resume();
    };
    const shown = () => document.visibilityState === "visible" && done();
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", shown);
  });
}
