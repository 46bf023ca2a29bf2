// Keeps every list of jobs on the page true. The server renders the entries and sends them as HTML over one event
// stream; here they are put in their place.
//
// Each tab has its own stream, and closes it while it is hidden: a browser allows about six connections to one server
// over HTTP/1.1, and only the tabs that are seen (one a window) need to be live. A tab that is shown again connects
// anew, and the first message of every connection is a snapshot, so that it shows the truth at once. Sharing one
// stream between tabs needs Web Locks, which browsers grant only on localhost and https; with them, one hidden tab stays
// connected where somebody wants to be notified.
import { say } from "./announcer.js";
import { refreshSelection } from "./job_selection.js";
import { activate, morph } from "./markup.js";
import { endWatch, isWatching, keepWatch, notify } from "./notifications.js";
import { refreshTimes } from "./times.js";
import { toast } from "./toasts.js";

const STREAM = "/jobs/stream";
const SILENCE = 40_000; // the server sends at least a heartbeat every 15 s
const FIRST_RETRY = 1_000;
const LAST_RETRY = 15_000;

let source = null;
let connections = 0; // snapshots that have come
const known = new Map(); // by job: the state that was heard of last
const latest = new Map(); // by job: its newest entry, for the panel, which is filled only when it is opened
let lastContact = null;
let silenceTimer;
let retryTimer;
let retryDelay = FIRST_RETRY;

export function startLiveJobs() {
  document.addEventListener("visibilitychange", () => (document.hidden ? hide() : show()));
  window.addEventListener("online", connect);
  window.addEventListener("offline", () => lose());
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", (event) => event.persisted && connect());
  document.addEventListener("varloom:panel", fillPanel);
  document.addEventListener("click", (event) => event.target.closest("[data-earlier-jobs]") && showEarlier(event.target));
  if (location.pathname === "/jobs" && /^#[0-9a-f-]{36}$/.test(location.hash)) location.replace(`/jobs/${location.hash.slice(1)}`);
  if (document.hidden) keepWatch().then((isKept) => isKept && connect());
  else connect();
}

async function hide() {
  if (!(await keepWatch()) && document.hidden) disconnect();
}

function show() {
  endWatch();
  connect();
}

function connect() {
  disconnect();
  if (document.body.dataset.link !== "lost") setLink("connecting", "Connecting");
  source = new EventSource(STREAM);
  source.addEventListener("snapshot", (event) => heard(() => applySnapshot(event.data)));
  source.addEventListener("job", (event) => heard(() => applyJob(event.data)));
  source.addEventListener("places", (event) => heard(() => applyPlaces(JSON.parse(event.data))));
  source.addEventListener("gone", (event) => heard(() => removeJob(event.data)));
  source.addEventListener("active", (event) => heard(() => setActive(Number(event.data))));
  source.addEventListener("heartbeat", () => heard(() => {}));
  source.addEventListener("error", lose);
  watchSilence();
}

function disconnect() {
  clearTimeout(silenceTimer);
  clearTimeout(retryTimer);
  source?.close();
  source = null;
}

// The browser would try again by itself, but not after an answer such as 503, and it cannot notice a silent line.
function lose() {
  disconnect();
  setLink("lost", "Reconnecting");
  const note = lastContact ? lastContact.toLocaleTimeString() : "the loading of this page";
  for (const element of document.querySelectorAll("[data-last-seen]")) element.textContent = note;
  if (document.hidden && !isWatching()) return;
  retryTimer = setTimeout(connect, retryDelay);
  retryDelay = Math.min(retryDelay * 2, LAST_RETRY);
  checkLogin();
}

// An event stream does not tell why it was refused. When the session has ended, only logging in helps.
async function checkLogin() {
  try {
    const answer = await fetch("/api/v1/jobs?limit=1", { headers: { Accept: "application/json" } });
    if (answer.status === 401) location.assign("/login");
  } catch {
    // The server cannot be reached: the next attempt will tell.
  }
}

function heard(apply) {
  lastContact = new Date();
  retryDelay = FIRST_RETRY;
  watchSilence();
  apply();
  setLink("live", "Live");
}

function watchSilence() {
  clearTimeout(silenceTimer);
  silenceTimer = setTimeout(lose, SILENCE);
}

function setLink(state, text) {
  if (document.body.dataset.link === state) return;
  document.body.dataset.link = state;
  for (const element of document.querySelectorAll("[data-link-text]")) element.textContent = text;
}

/** The newest jobs, complete down to a floor: an entry above it that is not among them has gone. */
function applySnapshot(html) {
  const { articles, floor } = parse(html);
  const missed = articles.some(completedUnheard);
  latest.clear();
  for (const article of articles) {
    latest.set(article.dataset.job, article);
    known.set(article.dataset.job, article.dataset.state);
  }
  for (const list of lists()) renew(list, articles, floor);
  for (const element of document.querySelectorAll("[data-loading]")) element.remove();
  connections += 1;
  settle();
  if (connections > 1) refreshJobPage(); // what came while nobody listened may have changed it
  if (missed) tellCompleted();
}

/** Whether a job has completed since this page was asked for, and nobody here was told. */
function completedUnheard({ dataset: { job, state, finished } }) {
  return state === "completed" && known.get(job) !== state && Date.parse(finished) >= performance.timeOrigin;
}

function tellCompleted() {
  document.body.dispatchEvent(new CustomEvent("varloom:completed"));
}

/** Bring a list up to what has come: all that it should hold down to the floor. */
function renew(list, articles, floor) {
  for (const entry of list.dataset.only ? [] : [...list.children]) {
    if (!latest.has(entry.dataset.job) && entry.dataset.created >= floor) entry.remove();
  }
  if (list.childElementCount) for (const article of articles) place(list, article);
  else fill(list, articles);
}

function fillPanel() {
  const newestFirst = [...latest.values()].sort((one, other) => (one.dataset.created < other.dataset.created ? 1 : -1));
  renew(document.querySelector("#job-manager [data-job-list]"), newestFirst, "");
  settle();
}

// The page of one job shows more than its entry: the server renders it anew when the job has taken a step.
function refreshJobPage(id) {
  const area = document.querySelector("[data-job-page]");
  if (area && (id === undefined || area.dataset.jobPage === id)) area.dispatchEvent(new CustomEvent("varloom:changed"));
}

function applyJob(html) {
  const [article] = parse(html).articles;
  latest.set(article.dataset.job, article);
  if (announce(article)) refreshJobPage(article.dataset.job);
  for (const list of lists()) place(list, article);
  settle();
}

/** Why jobs wait, by their ids: their places in the queue have moved. */
function applyPlaces(texts) {
  for (const entries of [latest.values(), ...lists().map((list) => list.children)]) {
    for (const entry of entries) {
      const line = entry.dataset.job in texts && entry.querySelector("[data-status]");
      if (!line) continue;
      line.textContent = texts[entry.dataset.job];
      delete entry.dataset.version; // it is not what the server rendered any more
    }
  }
}

function removeJob(id) {
  latest.delete(id);
  for (const list of lists()) {
    if (list.dataset.only === id) {
      refreshJobPage(id);
      continue;
    }
    const entry = find(list, id);
    if (entry?.contains(document.activeElement)) (entry.nextElementSibling ?? entry.previousElementSibling ?? list.closest("aside, main"))?.focus();
    entry?.remove();
  }
  settle();
}

async function showEarlier(button) {
  const query = new URLSearchParams(button.dataset.query);
  query.set("cursor", button.dataset.cursor);
  button.disabled = true;
  const answer = await fetch(`/jobs/entries?${query}`).catch(() => null);
  button.disabled = false;
  if (!answer?.ok) return toast("The earlier jobs could not be loaded. Try again.");
  const { articles, next } = parse(await answer.text());
  for (const article of articles) place(document.querySelector(".page [data-job-list]"), article, true);
  refreshSelection();
  say(`${articles.length} earlier jobs added`);
  button.dataset.cursor = next ?? "";
  button.hidden = !next;
}

function setActive(count) {
  for (const badge of document.querySelectorAll("[data-jobs-count]")) {
    badge.textContent = String(count);
    badge.dataset.active = String(count > 0);
  }
}

/** Put entries that are in order already into an empty list. */
function fill(list, articles) {
  list.replaceChildren(...articles.filter((article) => belongs(list, article)).map((article) => article.cloneNode(true)));
  activate(list);
  refreshTimes(list);
}

/** Change the list's entry of this job in place, or add it where its age puts it (newest first). */
function place(list, article, isEarlier = false) {
  const entry = find(list, article.dataset.job);
  if (entry && entry.dataset.version === article.dataset.version) return;
  if (entry) {
    const focused = entry.contains(document.activeElement) ? document.activeElement : null;
    morph(entry, article.outerHTML);
    keepFocus(entry, focused);
    return refreshTimes(entry);
  }
  const older = [...list.children].find((other) => other.dataset.created < article.dataset.created);
  if (!belongs(list, article) || (!older && !isEarlier && goesOn(list))) return;
  const fresh = article.cloneNode(true);
  list.insertBefore(fresh, older ?? null);
  activate(fresh);
  refreshTimes(fresh);
}

// Whether earlier entries can be fetched: then nothing is added at the end, where it would hide what lies between.
function goesOn(list) {
  return list.parentElement.querySelector(":scope > .job-more > [data-earlier-jobs]:not([hidden])") !== null;
}

// A filtered list takes in what matches. What it shows already stays until the reader looks anew, though it may match no
// more: nothing vanishes under somebody's eyes.
function belongs({ dataset }, { dataset: job }) {
  const { only, states, text, since, until } = dataset;
  if (only) return only === job.job;
  if (states && !states.split(" ").includes(job.state)) return false;
  if (text && !job.text.split("\n").some((name) => name.includes(text))) return false;
  return (!since || job.created >= since) && (!until || job.created < until);
}

// A button may disappear under the reader's fingers, as Cancel does when its job completes.
function keepFocus(entry, focused) {
  if (focused && !focused.isConnected) entry.focus({ preventScroll: true });
}

// State changes are spoken, percentages never. Returns whether the state is another than before.
function announce(article) {
  const { job, state, announce: text } = article.dataset;
  if (known.get(job) === state) return false;
  known.set(job, state);
  say(text, { of: job, kind: state });
  notify(article.dataset);
  if (state === "completed") tellCompleted();
  return true;
}

// Before the first snapshot nobody knows whether there are jobs: the panel then shows that it is loading.
function settle() {
  for (const list of lists()) {
    const isEmpty = list.childElementCount === 0;
    const note = list.parentElement.querySelector(":scope > [data-no-jobs]");
    if (note) note.hidden = !isEmpty || (connections === 0 && note.closest("aside") !== null);
    const more = list.parentElement.querySelector(":scope > [data-all-jobs]");
    if (more) more.hidden = isEmpty;
  }
  refreshSelection();
}

function lists() {
  return [...document.querySelectorAll("[data-job-list]")].filter((list) => !list.closest("[hidden]"));
}

function find(list, id) {
  return list.querySelector(`:scope > [data-job="${CSS.escape(id)}"]`);
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const wrapper = template.content.firstElementChild;
  return { articles: [...wrapper.children], floor: wrapper.dataset.floor, next: wrapper.dataset.next };
}
