// Times that tick, and moments in the reader's own time zone. The server sends seconds as they stood when it rendered;
// from then on the browser's steady clock counts, so that a wrong clock on either side does not matter.
const baselines = new WeakMap();
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exactMoments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function startTimes() {
  refreshTimes(document);
  setInterval(() => tick(document), 1000);
}

/** Bring the times below `root` up to date; to be called in the same task that changed the markup. */
export function refreshTimes(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const format = time.dataset.local === "seconds" ? exactMoments : moments;
    time.textContent = format.format(new Date(time.dateTime));
  }
  for (const element of root.querySelectorAll("[data-elapsed], [data-countdown]")) {
    baselines.set(element, performance.now());
  }
  tick(root);
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  const pad = (number) => String(number).padStart(2, "0");
  const short = days || hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
  return days ? `${days} d ${short}` : short;
}

function tick(root) {
  for (const element of root.querySelectorAll("[data-elapsed]")) {
    write(element, Number(element.dataset.elapsed) + since(element));
  }
  for (const element of root.querySelectorAll("[data-countdown]")) {
    write(element, Number(element.dataset.countdown) - since(element));
  }
}

function since(element) {
  return (performance.now() - (baselines.get(element) ?? performance.now())) / 1000;
}

function write(element, seconds) {
  const text = clock(seconds);
  if (element.textContent !== text) element.textContent = text;
}
