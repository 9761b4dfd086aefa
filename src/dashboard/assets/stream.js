// The pages of a stream and of its sessions: they follow the feed, and each bar of the timeline has a card.
import { element, fetchPage } from "./common.js";
import { follow } from "./feed.js";

// Several changes at once are one refresh.
const REFRESH_AFTER = 500;
// No event says that a session becomes unconfirmed, or that time has passed.
const REFRESH_EVERY = 60_000;
// How far, in pixels, the pointer may be from a bar that it means.
const REACH = 12;

export function followStream(place) {
  let pending;
  const refreshSoon = () => {
    pending ??= setTimeout(async () => {
      pending = undefined;
      await refresh(place);
    }, REFRESH_AFTER);
  };
  follow(place, (session) => {
    if (session.stream_id === place.dataset.stream) refreshSoon();
  });
  setInterval(() => {
    if (place.querySelector(".clock") && !document.hidden && !document.body.classList.contains("is-stale")) refreshSoon();
  }, REFRESH_EVERY);
}

// Replaces the parts of the page that have changed. A part that has not keeps its focus and what is typed in it.
async function refresh(place) {
  const fresh = (await fetchPage())?.getElementById(place.id);
  if (!fresh) return;
  const open = new Set([...place.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  for (const details of fresh.querySelectorAll("details")) details.open = open.has(details.dataset.key);
  if (fresh.children.length !== place.children.length) {
    place.replaceChildren(...fresh.children);
  } else {
    const parts = [...fresh.children];
    [...place.children].forEach((part, at) => {
      if (!part.isEqualNode(parts[at])) part.replaceWith(parts[at]);
    });
  }
  place.querySelectorAll("svg.lanes").forEach(letKeysIn);
}

// One stop of the keyboard; the arrows go from bar to bar.
function letKeysIn(lanes) {
  lanes.tabIndex = 0;
  // The card says the same, and the browser would show both.
  lanes.querySelectorAll("title").forEach((title) => title.remove());
}

// The bar under the pointer, or the closest within reach.
function barAt(event) {
  const lanes = event.target.closest?.("svg.lanes");
  if (!lanes) return undefined;
  let [closest, least] = [undefined, REACH];
  for (const bar of lanes.querySelectorAll(".bar")) {
    const box = bar.getBoundingClientRect();
    if (event.clientY < box.top - 4 || event.clientY > box.bottom + 4) continue;
    const distance = Math.max(box.left - event.clientX, event.clientX - box.right, 0);
    if (distance < least) [closest, least] = [bar, distance];
  }
  return closest;
}

export function explainBars() {
  document.querySelectorAll("svg.lanes").forEach(letKeysIn);
  const card = element("div", { className: "tip", hidden: true, role: "status" });
  document.body.append(card);
  let shown;
  let wasShown = false;
  const show = (bar) => {
    shown?.classList.remove("shown");
    shown = bar;
    card.hidden = !bar;
    if (!bar) return;
    bar.classList.add("shown");
    card.textContent = bar.dataset.card;
    const box = bar.getBoundingClientRect();
    const room = document.documentElement.clientWidth - card.offsetWidth - 8;
    card.style.left = `${Math.max(8, Math.min(box.left, room))}px`;
    card.style.top = `${box.bottom + window.scrollY + 6}px`;
  };
  document.addEventListener("pointermove", (event) => {
    const bar = barAt(event);
    if (bar !== shown) show(bar);
  });
  document.addEventListener("pointerdown", (event) => {
    const bar = barAt(event);
    // A tap shows the card first; a second one opens.
    wasShown = bar !== undefined && bar === shown;
    show(bar);
  });
  document.addEventListener("click", (event) => {
    const bar = barAt(event);
    if (bar && wasShown) location.assign(bar.dataset.href);
  });
  document.addEventListener("focusout", () => show(undefined));
  document.addEventListener("keydown", (event) => {
    const lanes = event.target.closest?.("svg.lanes");
    if (!lanes) return;
    const bars = [...lanes.querySelectorAll(".bar")];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const at = bars.indexOf(shown);
      show(bars.at(at < 0 ? (step > 0 ? 0 : -1) : Math.max(0, Math.min(at + step, bars.length - 1))));
    } else if (event.key === "Enter" && shown) location.assign(shown.dataset.href);
    else if (event.key === "Escape") show(undefined);
    else return;
    event.preventDefault();
  });
}
