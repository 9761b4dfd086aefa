// Follows the feed of session changes. A page that lost its connection, or its sign-in, says so and stops its clocks.
import { ROOT, element, formatTime, texts } from "./common.js";

// Longer than the service needs to restart.
const LOST_AFTER = 5000;
const RETRY_AFTER = 3000;
const SIGNED_OUT_RETRY_AFTER = 30_000;
// The service sends something every 15 seconds. A broken network may not report that it no longer does.
const SILENT_AFTER = 40_000;

// Follows the changes of sessions that an element names in `data-changes`. Before `onGap` changes may have been missed: since
// the page was made, if it is the first, or while there was no connection.
export function follow(place, onSession, onGap = () => {}) {
  let changes;
  let lastHeard = Date.now();
  let lost;
  let isNew;
  let isFirst = true;
  const heard = () => {
    lastHeard = Date.now();
    clearTimeout(lost);
    lost = undefined;
    hideNotice();
  };
  const lose = () => (lost ??= setTimeout(() => showNotice(texts.lost, lastHeard), LOST_AFTER));
  const connect = () => {
    changes = new EventSource(place.dataset.changes);
    isNew = true;
    changes.addEventListener("open", () => {
      heard();
      // A new connection, unlike one that the browser restores by itself, starts with the next change.
      if (isNew) onGap(isFirst);
      isNew = isFirst = false;
    });
    changes.addEventListener("position", heard);
    changes.addEventListener("session", (event) => {
      heard();
      onSession(JSON.parse(event.data));
    });
    changes.addEventListener("error", async () => {
      lose();
      // The browser reconnects by itself unless the answer was an error.
      if (changes.readyState !== EventSource.CLOSED) return;
      const answer = await fetch("/v1/live?renditions=include").catch(() => undefined);
      if (answer?.status !== 401) return reconnect(RETRY_AFTER);
      clearTimeout(lost);
      leave(lastHeard);
      reconnect(SIGNED_OUT_RETRY_AFTER);
    });
  };
  const reconnect = (delay) => {
    changes.close();
    setTimeout(connect, delay);
  };
  setInterval(() => {
    if (changes.readyState !== EventSource.OPEN || Date.now() - lastHeard < SILENT_AFTER) return;
    lose();
    reconnect(0);
  }, 5000);
  connect();
}

function showNotice(text, lastHeard) {
  document.body.classList.add("is-stale");
  const notice = document.querySelector(".notice") ?? element("div", { className: "notice", role: "alert" });
  notice.textContent = `${text} ${formatTime(lastHeard)}`;
  document.querySelector("main").prepend(notice);
}

function hideNotice() {
  document.body.classList.remove("is-stale");
  document.querySelector(".notice")?.remove();
}

// The sign-in has ended: nothing on the page is current any longer. On a wall display, where nobody signs in, the page says so.
function leave(lastHeard) {
  showNotice(texts.signedOut, lastHeard);
  if (document.body.classList.contains("kiosk")) return;
  location.assign(`${ROOT}/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
}
