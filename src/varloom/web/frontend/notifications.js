// A count in the tab's title and notifications of the browser, both by choice and both only while the tab is not looked at.
//
// A hidden tab closes its stream (see live_jobs.js). Where somebody wants to be told, one of the hidden tabs keeps it: the
// one that holds a lock, which the browser passes on when that tab closes. It tells the others.
const KEPT = "varloom-notify";
const LOCK = "varloom-notifier";

let channel = null;
let unseen = new Map(); // by job: the state in which it came to rest while nobody looked
let title;
let release = null;

export function startNotifications() {
  title = document.title;
  const form = document.getElementById("notify-choices");
  if (!form) return;
  if ("BroadcastChannel" in window) {
    channel = new BroadcastChannel(KEPT);
    channel.addEventListener("message", ({ data }) => count(data));
  }
  show(form);
  form.addEventListener("change", ({ target }) => choose(form, target));
  // A tab that is hidden can have the focus told late, or of a window behind others: nobody has seen it for that.
  const look = () => !document.hidden && seen();
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);
}

/** Tell of a job that has just come to rest. */
export function notify({ job, state, announce }) {
  if (state !== "completed" && state !== "failed") return;
  const news = { job, state, announce };
  count(news);
  if (!document.hidden && document.hasFocus()) return;
  if (document.hidden) channel?.postMessage(news);
  if (!choices().message || !allowed()) return;
  const shown = new Notification(state === "failed" ? "A job failed" : "A job is completed", { body: announce, tag: job, icon: "/static/favicon.svg" });
  shown.addEventListener("click", () => {
    window.focus();
    location.assign(`/jobs/${job}`);
  });
}

/** Let this tab be the one that stays connected while hidden: resolves to whether it is. */
export function keepWatch() {
  const { title: counts, message } = choices();
  if (!(counts || (message && allowed())) || !navigator.locks) return Promise.resolve(false);
  return new Promise((resolve) => {
    navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise((done) => (release = done));
    });
  });
}

export function isWatching() {
  return release !== null;
}

export function endWatch() {
  release?.();
  release = null;
}

function count({ job, state }) {
  if (!choices().title || (!document.hidden && document.hasFocus())) return;
  unseen.set(job, state);
  const of = (wanted) => [...unseen.values()].filter((one) => one === wanted).length;
  const parts = ["failed", "completed"].filter(of).map((one) => `${of(one)} ${one}`);
  document.title = `(${parts.join(", ")}) ${title}`;
}

function seen() {
  unseen = new Map();
  document.title = title;
}

function choices() {
  try {
    return { title: false, message: false, ...JSON.parse(localStorage.getItem(KEPT)) };
  } catch {
    return { title: false, message: false };
  }
}

function allowed() {
  return "Notification" in window && Notification.permission === "granted";
}

async function choose(form, box) {
  if (box.name === "message" && box.checked && "Notification" in window) await Notification.requestPermission();
  const isChecked = (name) => form.querySelector(`[name=${name}]`).checked;
  localStorage.setItem(KEPT, JSON.stringify({ title: isChecked("title"), message: isChecked("message") }));
  show(form);
}

function show(form) {
  const note = document.querySelector("[data-notify-note]");
  const { title: counts, message } = choices();
  const box = (name) => form.querySelector(`[name=${name}]`);
  box("title").checked = counts;
  box("message").checked = message && allowed();
  box("message").disabled = !window.isSecureContext || !("Notification" in window);
  const text = hint(message);
  note.textContent = text;
  note.hidden = !text;
}

function hint(wanted) {
  if (!window.isSecureContext) return "Notifications, and the count while this tab is hidden, need https or a server on this machine.";
  if (!("Notification" in window)) return "This browser has no notifications.";
  if (wanted && Notification.permission === "denied") return "The browser blocks notifications of this site; its settings can allow them.";
  return "";
}
