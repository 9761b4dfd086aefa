// Follows the feed of session changes. A page that lost its connection, or its sign-in, says so and stops its clocks.
import { ROOT, element, formatTime, texts } from "./common.js";

// Longer than the service needs to restart.
const LOST_AFTER = 5000;
const RETRY_AFTER = 3000;

// Follows the changes of sessions that an element names in `data-changes`.
export function follow(place, onSession) {
  let lastHeard = Date.now();
  let lost;
  const connect = () => {
    const changes = new EventSource(place.dataset.changes);
    const heard = () => {
      lastHeard = Date.now();
      clearTimeout(lost);
      lost = undefined;
      hideNotice();
    };
    changes.addEventListener("open", heard);
    changes.addEventListener("session", (event) => {
      lastHeard = Date.now();
      onSession(JSON.parse(event.data));
    });
    changes.addEventListener("error", async () => {
      lost ??= setTimeout(() => showNotice(texts.lost, lastHeard), LOST_AFTER);
      // The browser reconnects by itself unless the answer was an error.
      if (changes.readyState !== EventSource.CLOSED) return;
      const answer = await fetch("/v1/live?renditions=include").catch(() => undefined);
      if (answer?.status === 401) return leave(lastHeard);
      setTimeout(connect, RETRY_AFTER);
    });
  };
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

// The sign-in has ended: nothing on the page is current any longer.
function leave(lastHeard) {
  showNotice(texts.signedOut, lastHeard);
  location.assign(`${ROOT}/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
}
