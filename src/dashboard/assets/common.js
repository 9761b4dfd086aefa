// What the scripts share.

export const ROOT = "/dashboard";

// The texts of the page's language.
export const texts = JSON.parse(document.documentElement.dataset.texts);

export function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Fetches this page again, as a document of its own.
export async function fetchPage() {
  const answer = await fetch(location.href).catch(() => undefined);
  return answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : undefined;
}

// As the server writes durations: the two largest units.
export function formatDuration(seconds) {
  const lengths = [86400, 3600, 60, 1];
  const largest = Math.max(0, lengths.findIndex((length) => seconds >= length || length === 1));
  let rest = seconds;
  return lengths.slice(largest, largest + 2).map((length, place) => {
    const part = `${Math.floor(rest / length)} ${texts.units[largest + place]}`;
    rest %= length;
    return part;
  }).join(" ");
}

const time = new Intl.DateTimeFormat(document.documentElement.lang === "en" ? "en-GB" : "zh-CN", {
  timeZone: document.documentElement.dataset.zone, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

// A time in the visitor's time zone, as the server writes it.
export function formatTime(at) {
  return time.format(at).replace(",", "");
}
