// Waits for the first callback of a domain: reads the page again until it says that one has arrived.
import { fetchPage } from "./common.js";

const EVERY = 3000;

export function waitForCallback(place) {
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const page = await fetchPage();
    if (!page) return;
    const next = page.getElementById(place.id);
    // For instance the page of the sign-in.
    if (!next) return location.reload();
    place.replaceChildren(...next.childNodes);
    if (!("waiting" in next.dataset)) clearInterval(timer);
  }, EVERY);
}
