// Waits for the first callback of a domain: reads the page again until it says that one has arrived.
const EVERY = 3000;

export function waitForCallback(place) {
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href).catch(() => undefined);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById(place.id);
    // For instance the page of the sign-in.
    if (!next) return location.reload();
    place.replaceChildren(...next.childNodes);
    if (!("waiting" in next.dataset)) clearInterval(timer);
  }, EVERY);
}
