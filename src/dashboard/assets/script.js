// For every page: clocks, the time zone of the browser, charts, copying, the search key, and the sign-in link. Every page works
// without it.
import { element, formatDuration, formatTime, texts } from "./common.js";
import { followPage, followRows, offerFullScreen, showTime, submitWhenChosen } from "./live.js";
import { waitForCallback } from "./setup.js";
import { explainBars, followStream } from "./stream.js";

function isOnScreen(part) {
  const box = part.getBoundingClientRect();
  return box.bottom >= 0 && box.top <= innerHeight;
}

function tick() {
  if (document.body.classList.contains("is-stale") || document.hidden) return;
  showTime();
  // All places are read before anything is written, so that the browser computes them once.
  const clocks = [...document.querySelectorAll(".clock[data-since]")].filter(isOnScreen);
  for (const clock of clocks) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset.since)) / 1000));
    const text = formatDuration(seconds);
    if (clock.textContent !== text) clock.textContent = text;
    const row = clock.closest("[data-unconfirmed-after] tr");
    if (row && isUnconfirmed(row)) markUnconfirmed(row);
  }
}

// As the server decides: by when the session was last known to be live.
function isUnconfirmed(row) {
  const { unconfirmedAfter } = row.closest("[data-unconfirmed-after]").dataset;
  return Date.now() - Date.parse(row.dataset.knownLive) > Number(unconfirmedAfter) * 1000;
}

// Marks a row as the server marks an unconfirmed session.
function markUnconfirmed(row) {
  if (row.classList.contains("stale")) return;
  row.classList.add("stale");
  row.querySelector(".name").append(" ", element("span", { className: "state unconfirmed", textContent: texts.unconfirmed }));
}

// A button that copies the text before it, or what it stands for.
function copyable(text) {
  const button = element("button", { type: "button", className: "copy", textContent: texts.copy });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.dataset.copy || text.textContent);
    button.textContent = texts.copied;
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

// Offers the browser's own time zone.
function offerOwnZone(select) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (![...select.options].some((option) => option.value === own)) return;
  const button = element("button", { type: "button", className: "small", textContent: `${select.dataset.browserZone}: ${own}` });
  button.addEventListener("click", () => {
    select.value = own;
    select.dispatchEvent(new Event("change", { bubbles: true }));
  });
  select.after(button);
}

// The charts of a page share a tip, as a chart may be replaced.
const tip = element("div", { className: "tip", hidden: true });

// The value under the pointer.
function readable(chart) {
  const values = JSON.parse(chart.dataset.values);
  const [from, to] = [Number(chart.dataset.from), Number(chart.dataset.to)];
  tip.hidden = true;
  document.body.append(tip);
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const at = from + ((event.clientX - box.left) / box.width) * (to - from);
    const before = values.findLast(([place]) => place <= at);
    tip.hidden = !before;
    if (!before) return;
    tip.textContent = `${formatTime(before[0] * 1000)}: ${before[1]}`;
    tip.style.left = `${Math.min(event.pageX + 12, document.documentElement.clientWidth - 200)}px`;
    tip.style.top = `${event.pageY - 40}px`;
  });
  chart.addEventListener("pointerleave", () => (tip.hidden = true));
}

document.addEventListener("keydown", (event) => {
  const box = document.querySelector("input[type=search]");
  if (event.key !== "/" || !box || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  box.focus();
});
tick();
setInterval(tick, 1000);
document.querySelectorAll("[data-follow=rows]").forEach(followRows);
document.querySelectorAll("[data-follow=page]").forEach(followPage);
document.querySelectorAll("[data-full-screen]").forEach(offerFullScreen);
document.querySelectorAll("form[data-submits]").forEach(submitWhenChosen);
document.querySelectorAll("[data-waiting]").forEach(waitForCallback);
document.querySelectorAll("[data-follow=stream]").forEach(followStream);
if (document.querySelector("[data-follow=stream]")) explainBars();
document.querySelectorAll("select.zones").forEach(offerOwnZone);
document.querySelectorAll(".chart[data-values]").forEach(readable);
document.addEventListener("refreshed", (event) => event.target.querySelectorAll(".chart[data-values]").forEach(readable));
// Browsers have no clipboard on a page that came over plain HTTP from another machine.
if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach(copyable);
const token = document.getElementById("token");
if (token) takeToken(token);
