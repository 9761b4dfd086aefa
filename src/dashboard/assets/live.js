// The page of live streams: rows come and go with the pushes.
import { ROOT, element, formatTime, texts } from "./common.js";
import { follow } from "./feed.js";

// Maximum rows that updates may add; further pages have the rest.
const MAX_ROWS = 500;

// The same row as the server renders. Names are inserted as text, never as markup.
function rowOf(session) {
  const name = element("a", { href: `${ROOT}/streams/${session.stream_id}` }, element("bdi", { textContent: session.stream }));
  const time = element("time", { dateTime: session.started_at, title: session.started_at, textContent: formatTime(Date.parse(session.started_at)) });
  const clock = element("span", { className: "clock" });
  clock.dataset.since = session.started_at;
  const row = element(
    "tr",
    { className: "fresh" },
    element("td", { className: "name" }, name),
    element("td", { textContent: session.domain }),
    element("td", { textContent: session.app }),
    element("td", {}, time),
    element("td", { className: "number" }, clock),
    element("td", { className: "number", textContent: "1" }),
  );
  row.dataset.stream = session.stream_id;
  return row;
}

export function followStreams(table) {
  const body = table.tBodies[0];
  const search = new URLSearchParams(location.search).get("search") ?? "";
  const news = document.getElementById("news");
  const rows = new Map([...body.rows].map((row) => [row.dataset.stream, row]));
  let recount;
  follow(table, (session) => {
    if (!session.stream.includes(search)) return;
    const known = rows.get(session.stream_id);
    if (session.status === "live" && (!known || known.classList.contains("over"))) {
      const row = rowOf(session);
      if (known) known.replaceWith(row);
      else if (rows.size < MAX_ROWS) body.prepend(row);
      document.getElementById("empty")?.remove();
      rows.set(session.stream_id, row);
      news.textContent = `${session.stream} ${texts.live}`;
    } else if (session.status === "ended" && known && known.cells[5].textContent === "1") {
      known.className = "over";
      known.querySelector(".clock")?.removeAttribute("data-since");
      news.textContent = `${session.stream} ${texts.ended}`;
    }
    recount ??= setTimeout(() => {
      recount = undefined;
      count();
    }, 500);
  });
  // No event reports that a session becomes unconfirmed.
  setInterval(count, 60_000);
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
