// The page Live and the wall display: both change with the sessions.
import { ROOT, element, fetchPage, formatDuration, formatTime, texts } from "./common.js";
import { follow } from "./feed.js";

// Maximum rows that updates may add. The next refresh brings the list back to a page.
const MAX_ROWS = 500;
// An ended session is shown for this long.
const LEAVE_AFTER = 10_000;
// Changes come in bursts: one count, or one refresh, is for all of them.
const COUNT_AFTER = 1000;
const REFRESH_AFTER = 2000;
// Nothing reports that a session becomes unconfirmed, and the chart moves on.
const REFRESH_EVERY = 60_000;

// Fetches this page again and takes over the elements with these ids, except where the visitor is.
async function refresh(ids) {
  const page = await fetchPage();
  // The sign-in page, to which a redirect leads, has none of them.
  if (!page?.getElementById(ids[0])) return;
  for (const id of ids) {
    const [old, current] = [document, page].map((from) => from.getElementById(id));
    if (!old || !current || old.contains(document.activeElement)) continue;
    old.replaceWith(current);
    current.dispatchEvent(new Event("refreshed", { bubbles: true }));
  }
  document.title = page.title;
}

// Refreshes the parts of a page soon after changes, and every minute.
export function followPage(place) {
  const ids = place.dataset.refresh.split(" ");
  let waiting;
  const soon = () => {
    waiting ??= setTimeout(() => {
      waiting = undefined;
      refresh(ids);
    }, REFRESH_AFTER);
  };
  follow(place, soon, (isFirst) => isFirst || soon());
  setInterval(soon, REFRESH_EVERY);
}

// Keeps the rows of the list of live sessions current.
export function followRows(place) {
  new LiveRows(place).start();
}

class LiveRows {
  constructor(place) {
    this.place = place;
    this.news = document.getElementById("news");
    this.leaving = [];
    this.read();
  }

  start() {
    follow(this.place, (session) => this.change(session), (isFirst) => (isFirst ? this.compare() : this.renew()));
    setInterval(() => this.sweep(), 1000);
    setInterval(() => (this.incomplete ? this.renew() : refresh(["figures", "attention"])), REFRESH_EVERY);
  }

  // The rows of the page, by session.
  read() {
    this.table = document.getElementById("streams");
    this.body = this.table.tBodies[0];
    this.rows = new Map([...this.body.rows].map((row) => [row.dataset.session, row]));
    // A list of unconfirmed sessions grows without a change that is reported.
    this.incomplete = !("takesNew" in this.place.dataset);
  }

  async renew() {
    await refresh(["figures", "attention", "list", "pager"]);
    this.read();
  }

  // Whether the number of sessions has changed since the page was made.
  async compare() {
    const made = document.querySelector("[data-count=live_sessions]").textContent;
    await count(this.place.dataset.counts);
    if (document.querySelector("[data-count=live_sessions]").textContent !== made) this.renew();
  }

  change(session) {
    const row = this.rows.get(session.session_id);
    const over = row?.classList.contains("over");
    if (session.status === "live" && (!row || over)) {
      if (over) this.remove(row);
      if ("takesNew" in this.place.dataset) this.add(rowOf(session));
      this.announce(`${session.stream} ${texts.live}`);
    } else if (session.status === "ended" && row && !over) {
      this.end(row, session);
      this.announce(`${session.stream} ${texts.ended}`);
    } else if (session.status === "live" && !over) {
      showConfirmed(row, session);
    }
    this.attends ||= isInAttention(session);
    this.countSoon();
  }

  // Inserts a row in the order of the list, unless its place is on another page.
  add(row) {
    const next = [...this.body.rows].find((other) => this.precedes(row, other));
    const { first, last } = document.getElementById("pager").dataset;
    const isElsewhere = (next === this.body.rows[0] && first === undefined) || (!next && last === undefined);
    if (this.rows.size >= MAX_ROWS) this.incomplete = true;
    if (isElsewhere || this.incomplete) return;
    this.body.insertBefore(row, next ?? null);
    this.rows.set(row.dataset.session, row);
    this.showEmptiness();
  }

  // Ids begin with the start, so their order is that of the starts.
  precedes(one, other) {
    const { order } = this.place.dataset;
    const key = (row) => (order === "name" ? nameOf(row) : row.dataset.session);
    return order === "-started_at" ? key(one) > key(other) : key(one) < key(other);
  }

  end(row, session) {
    row.className = "over";
    row.querySelector(".state")?.remove();
    row.querySelector(".name").append(" ", element("span", { className: "state ended", textContent: texts.ended }));
    const clock = row.querySelector(".clock");
    clock.removeAttribute("data-since");
    clock.textContent = formatDuration(session.duration_seconds);
    this.leaving.push({ row, at: Date.now() + LEAVE_AFTER });
  }

  sweep() {
    while (this.leaving[0]?.at <= Date.now()) {
      const { row } = this.leaving.shift();
      if (row.classList.contains("over")) this.remove(row);
    }
  }

  remove(row) {
    row.remove();
    if (this.rows.get(row.dataset.session) === row) this.rows.delete(row.dataset.session);
    this.showEmptiness();
  }

  showEmptiness() {
    this.table.hidden = this.rows.size === 0;
    document.getElementById("empty").hidden = this.rows.size > 0;
  }

  // For screen readers; the last one of a burst.
  announce(text) {
    this.latest = text;
  }

  countSoon() {
    this.counting ??= setTimeout(() => {
      this.counting = undefined;
      this.news.textContent = this.latest ?? "";
      if (this.attends) refresh(["figures", "attention"]);
      else count(this.place.dataset.counts);
      this.attends = false;
    }, COUNT_AFTER);
  }
}

// Removes the mark of a session that was confirmed.
function showConfirmed(row, session) {
  row.dataset.knownLive = knownLive(session);
  if (session.unconfirmed || !row.classList.contains("stale")) return;
  row.classList.remove("stale");
  row.querySelector(".state")?.remove();
}

const knownLive = (session) => session.confirmed_at ?? session.started_at;

const isInAttention = (session) => document.querySelector(`#attention [data-session="${CSS.escape(session.session_id)}"]`) !== null;

const nameOf = (row) => [row.cells[1], row.cells[2], row.querySelector(".name bdi")].map((part) => part.textContent).join("\0");

async function count(path) {
  const answer = await fetch(path).catch(() => undefined);
  if (!answer?.ok) return;
  const counts = await answer.json();
  const written = (number) => number.toLocaleString("en");
  for (const place of document.querySelectorAll("[data-count]")) place.textContent = written(counts[place.dataset.count]);
  document.getElementById("streams-of").hidden = counts.live_streams === counts.live_sessions;
  document.title = `${texts.liveTitle.replace("{}", written(counts.live_sessions))} · streamtally`;
}

// The same row as the server renders. Names are inserted as text, never as markup.
function rowOf(session) {
  const name = element("a", { href: `${ROOT}/streams/${session.stream_id}` }, element("bdi", { textContent: session.stream }));
  const started = element("time", { dateTime: session.started_at, textContent: formatTime(Date.parse(session.started_at)) });
  const seconds = Math.max(0, (Date.now() - Date.parse(session.started_at)) / 1000);
  const clock = element("span", { className: "clock", textContent: formatDuration(Math.floor(seconds)) });
  clock.dataset.since = session.started_at;
  const row = element(
    "tr",
    { className: "fresh" },
    element("td", { className: "name" }, name),
    element("td", { className: "muted", textContent: session.domain }),
    element("td", { className: "muted", textContent: session.app }),
    element("td", {}, element("a", { href: `${ROOT}/sessions/${session.session_id}` }, started)),
    element("td", { className: "number" }, clock),
  );
  row.dataset.session = session.session_id;
  row.dataset.knownLive = knownLive(session);
  return row;
}

// Filters apply as soon as they are chosen; without a script, with the button.
export function submitWhenChosen(form) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
}

// The clock of the wall display, in the time zone of the page.
export function showTime() {
  const clock = document.querySelector(".kiosk-clock");
  if (clock) clock.textContent = timeOfDay.format(Date.now());
}

const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeZone: document.documentElement.dataset.zone, timeStyle: "medium" });

// Browsers go to full screen only when somebody presses a button.
export function offerFullScreen(place) {
  const button = element("button", { type: "button", textContent: place.dataset.fullScreen });
  button.addEventListener("click", () => document.documentElement.requestFullscreen());
  document.addEventListener("fullscreenchange", () => (button.hidden = document.fullscreenElement !== null));
  place.append(button);
}
