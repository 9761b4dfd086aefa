// Live updates: clocks, times in the reader's time zone, streams that start and end, suggestions. Every page works without it.
"use strict";

const ROOT = "/dashboard";

function formatDuration(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const days = Math.floor(seconds / 86400);
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
  return days > 0 ? `${days} d ${clock}` : clock;
}

function tick() {
  const now = Date.now();
  for (const clock of document.querySelectorAll(".clock[data-since]")) {
    const seconds = Math.max(0, Math.floor((now - Date.parse(clock.dataset.since)) / 1000));
    clock.textContent = formatDuration(seconds);
    const table = clock.closest("[data-unconfirmed-after]");
    if (table && seconds > Number(table.dataset.unconfirmedAfter)) markUnconfirmed(clock.closest("tr"));
  }
}

// Marks a row as the server marks an unconfirmed session.
function markUnconfirmed(row) {
  if (row.classList.contains("stale")) return;
  row.classList.add("stale");
  row.cells[0].append(" ", element("span", { className: "state unconfirmed", textContent: "unconfirmed" }));
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = local.format(new Date(time.dateTime));
  }
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The same row as the server renders. Names are inserted as text, never as markup.
function rowOf(session) {
  const name = element("a", { href: `${ROOT}/streams/${session.stream_id}` }, element("bdi", { textContent: session.stream }));
  const time = element("time", { dateTime: session.started_at, title: session.started_at });
  const clock = element("span", { className: "clock" });
  clock.dataset.since = session.started_at;
  const cell = (label, className, ...content) => {
    const made = element("td", { className }, ...content);
    made.dataset.label = label;
    return made;
  };
  const row = element(
    "tr",
    { className: "fresh" },
    element("td", { className: "name" }, name),
    element("td", { textContent: session.domain }),
    element("td", { textContent: session.app }),
    cell("live since", "", time),
    cell("duration", "number", clock),
    cell("sessions", "number", "1"),
  );
  row.dataset.stream = session.stream_id;
  localize(row);
  return row;
}

// Maximum rows that updates may add; further pages have the rest.
const MAX_ROWS = 500;

function follow(table) {
  const body = table.tBodies[0];
  const search = new URLSearchParams(location.search).get("search") ?? "";
  const news = document.getElementById("news");
  const rows = new Map([...body.rows].map((row) => [row.dataset.stream, row]));
  const changes = new EventSource(table.dataset.changes);
  let recount;
  changes.addEventListener("session", (event) => {
    const session = JSON.parse(event.data);
    if (!session.stream.includes(search)) return;
    const known = rows.get(session.stream_id);
    if (session.status === "live" && (!known || known.classList.contains("over"))) {
      const row = rowOf(session);
      if (known) known.replaceWith(row);
      else if (rows.size < MAX_ROWS) body.prepend(row);
      document.getElementById("empty")?.remove();
      rows.set(session.stream_id, row);
      news.textContent = `${session.stream} is live`;
    } else if (session.status === "ended" && known && known.cells[5].textContent === "1") {
      known.className = "over";
      known.querySelector(".clock")?.removeAttribute("data-since");
      news.textContent = `${session.stream} has ended`;
    }
    recount ??= setTimeout(() => {
      recount = undefined;
      count();
    }, 500);
  });
  // No event reports that a session becomes unconfirmed.
  setInterval(count, 60_000);
  changes.addEventListener("error", () => {
    news.textContent = "Connection lost; reconnecting.";
  });
}

async function count() {
  const asked = new URLSearchParams(location.search);
  const wanted = new URLSearchParams();
  for (const name of ["domain", "app"]) if (asked.get(name)) wanted.set(name, asked.get(name));
  const answer = await fetch(`/v1/live?${wanted}`);
  if (!answer.ok) return;
  const counts = await answer.json();
  const figures = document.querySelectorAll("#counts .figure strong");
  [counts.live_streams, counts.live_sessions, counts.unconfirmed_sessions].forEach((number, place) => {
    figures[place].textContent = number;
  });
}

// Names that contain the typed text, as suggestions of the browser.
function suggest(box) {
  const list = document.getElementById("suggestions");
  let timer;
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const text = box.value.trim();
      if (text.length < 2 || text.includes("/")) return list.replaceChildren();
      const answer = await fetch(`/v1/streams?${new URLSearchParams({ search: text, limit: 8 })}`);
      if (!answer.ok || box.value.trim() !== text) return;
      const names = new Set((await answer.json()).data.map((stream) => stream.stream));
      list.replaceChildren(...[...names].map((value) => element("option", { value })));
    }, 150);
  });
}

// A button that copies the text before it.
function copyable(text) {
  const button = element("button", { type: "button", className: "copy", textContent: "Copy" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  });
  text.after(" ", button);
}

// A link may carry a token after #, which browsers do not send to the server. The reader presses the button.
function takeToken(field) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  field.value = token;
  field.form.querySelector("button").focus();
}

localize(document);
tick();
setInterval(tick, 1000);
const streams = document.getElementById("streams");
if (streams) follow(streams);
const box = document.querySelector("input[list=suggestions]");
if (box) suggest(box);
// Browsers have no clipboard on a page that came over plain HTTP from another machine.
if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach(copyable);
const token = document.getElementById("token");
if (token) takeToken(token);
