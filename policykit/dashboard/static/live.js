// Live updates: the server says that the journal grew, the page asks for its parts again and changes those that differ.
const MOST_OFTEN_MS = 1000; // between two looks
const RETRY_MS = 3000; // after the server was gone

const byId = (id) => document.getElementById(id);
const denials = (within) => [...within.querySelectorAll("tr[data-denial]")];

/** Ask for a page and get it as a document: parsed by the browser, its scripts never run. */
function ask(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.responseType = "document";
    request.open("GET", address);
    request.addEventListener("load", () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else reject(new Error(`status ${request.status}`));
    });
    request.addEventListener("error", () => reject(new Error("not reached")));
    request.send();
  });
}

/** What the server wrote of each part, without what this page added to it (charts, titles, open tables). */
const told = new WeakMap();
const ids = (within) => [...within.querySelectorAll("[data-part]")].map((part) => part.id).join(" ");

/** Remember what the server wrote, before anything is added to it. */
export function remember(within) {
  for (const part of within.querySelectorAll("[data-part]")) told.set(part, part.outerHTML);
}

/** Replace the parts that differ; keep the focus, the open tables and the scroll position. */
function take(parts, answer, enliven) {
  if (ids(parts) !== ids(answer)) {
    location.reload(); // a part came or went: the page is another one
    return;
  }
  const known = new Set(denials(parts).map((row) => row.dataset.denial));
  for (const fresh of answer.querySelectorAll("[data-part]")) {
    const old = byId(fresh.id);
    const says = fresh.outerHTML;
    if (told.get(old) === says) continue;
    if (old.contains(document.activeElement) && document.activeElement.matches("select")) continue;
    const focused = old.contains(document.activeElement) ? place(old) : null;
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    const made = document.adoptNode(fresh);
    told.set(made, says);
    if (known.size) for (const row of denials(made)) row.classList.toggle("fresh", !known.has(row.dataset.denial));
    old.replaceWith(made);
    made.querySelectorAll("details").forEach((one, at) => (one.open = open[at] ?? false));
    enliven(made);
    if (focused) restore(made, focused);
  }
  announce(parts, known);
}

const FOCUSABLE = "a, button, summary, select, [tabindex]";

function place(part) {
  const row = document.activeElement.closest("[data-denial]");
  const within = row ?? part;
  return { denial: row?.dataset.denial, at: [...within.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement) };
}

function restore(part, { denial, at }) {
  const within = denial ? part.querySelector(`[data-denial="${CSS.escape(denial)}"]`) : part;
  within?.querySelectorAll(FOCUSABLE)[at]?.focus({ preventScroll: true });
}

/** Tell a screen reader of denials that are new. */
function announce(parts, known) {
  const fresh = denials(parts).filter((row) => !known.has(row.dataset.denial));
  if (!known.size || !fresh.length) return;
  byId("said").textContent = `${fresh.length} new ${fresh.length > 1 ? "denials" : "denial"}: ${fresh[0].dataset.says}`;
}

/** Follow the journal: look when the server says so, at most once a second. */
export function follow(parts, enliven) {
  const live = byId("live");
  let busy = false;
  let again = false;
  let last = 0;

  function say(state, text) {
    live.dataset.state = state;
    byId("live-text").textContent = text;
  }

  async function look() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    await new Promise((done) => setTimeout(done, Math.max(0, last + MOST_OFTEN_MS - performance.now())));
    try {
      const answer = await ask(parts.dataset.parts);
      last = performance.now();
      take(parts, answer, enliven);
      say("live", `live, ${new Date().toISOString().slice(11, 19)} UTC`);
    } catch {
      say("lost", "not reached");
    }
    busy = false;
    if (again && !document.hidden) look();
  }

  function open() {
    const events = new EventSource("/events");
    events.addEventListener("open", () => say("live", "live"));
    events.addEventListener("change", () => (document.hidden ? (again = true) : look()));
    events.addEventListener("error", () => {
      say("lost", "page's server is gone");
      if (events.readyState === EventSource.CLOSED) setTimeout(open, RETRY_MS);
    });
  }

  document.addEventListener("visibilitychange", () => !document.hidden && again && look());
  open();
}
