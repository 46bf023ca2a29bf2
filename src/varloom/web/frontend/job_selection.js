// Several jobs at once: which are selected is kept here and not in the markup, because entries are rendered anew.
import { say } from "./announcer.js";
import { ask } from "./confirm.js";
import { OFFLINE, problemText, toast } from "./toasts.js";

const ENDED = ["completed", "failed", "cancelled"];
const CAN = {
  cancel: (entry) => !ENDED.includes(entry.dataset.state),
  prioritise: (entry) => !ENDED.includes(entry.dataset.state),
  retry: (entry) => entry.querySelector("[data-act=retry]") !== null,
  dismiss: (entry) => ENDED.includes(entry.dataset.state),
};
const DONE = { cancel: "asked to stop", prioritise: "given another priority", retry: "queued again", dismiss: "dismissed" };
const AT_ONCE = 500; // the most that one request may name

const selected = new Set();
let bar;
let last = null;

export function startJobSelection() {
  bar = document.querySelector("[data-bulk]");
  if (!bar) return;
  document.addEventListener("click", (event) => {
    if (event.target.matches(".page [data-select]")) toggle(event.target, event.shiftKey);
  });
  bar.querySelector("[data-select-all]").addEventListener("change", (event) => selectAll(event.target.checked));
  for (const control of bar.querySelectorAll("button[data-bulk-act]")) {
    control.addEventListener("click", () => act(control.dataset.bulkAct));
  }
  bar.querySelector("select[data-bulk-act]").addEventListener("change", ({ target }) => {
    const priority = Number(target.value);
    if (target.value !== "") act("prioritise", priority);
    target.value = "";
  });
  document.addEventListener("varloom:list", refreshSelection);
  refreshSelection();
}

/** Show what is selected; to be called after entries came, went or changed. */
export function refreshSelection() {
  if (!bar) return;
  const entries = shown();
  const present = new Set(entries.map((entry) => entry.dataset.job));
  for (const id of selected) if (!present.has(id)) selected.delete(id);
  for (const entry of entries) entry.querySelector("[data-select]").checked = selected.has(entry.dataset.job);
  const all = bar.querySelector("[data-select-all]");
  all.checked = entries.length > 0 && selected.size === entries.length;
  all.indeterminate = selected.size > 0 && selected.size < entries.length;
  all.disabled = entries.length === 0;
  bar.querySelector("[data-bulk-count]").textContent = selected.size ? `${selected.size} of ${entries.length} selected` : "Select all shown";
  bar.querySelector("[data-bulk-acts]").hidden = selected.size === 0;
  for (const control of bar.querySelectorAll("[data-bulk-act]")) {
    const count = able(control.dataset.bulkAct).length;
    control.disabled = count === 0;
    const number = control.querySelector("[data-number]");
    if (number) number.textContent = count ? String(count) : "";
  }
}

function shown() {
  return [...document.querySelectorAll("#job-results [data-job]")];
}

function able(action) {
  return shown().filter((entry) => selected.has(entry.dataset.job) && CAN[action](entry));
}

function toggle(box, isRange) {
  const boxes = shown().map((entry) => entry.querySelector("[data-select]"));
  const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
  for (const one of isRange && from >= 0 ? boxes.slice(from, to + 1) : [box]) put(one, box.checked);
  last = box;
  refreshSelection();
}

function selectAll(on) {
  for (const entry of shown()) put(entry.querySelector("[data-select]"), on);
  refreshSelection();
}

function put(box, on) {
  const id = box.closest("[data-job]").dataset.job;
  if (on) selected.add(id);
  else selected.delete(id);
}

async function act(action, priority) {
  const entries = able(action);
  if (action === "cancel" && !(await sure(entries.length))) return;
  const ids = entries.map((entry) => entry.dataset.job);
  const results = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const answer = await send({ action, jobs: ids.slice(from, from + AT_ONCE), ...(action === "prioritise" && { priority }) });
    if (!answer) return;
    results.push(...answer.results);
  }
  const refused = results.filter((result) => result.code);
  for (const { id, code } of results) if (!code) selected.delete(id);
  const count = results.length - refused.length;
  say(`${count} ${count === 1 ? "job" : "jobs"} ${DONE[action]}`);
  if (refused.length) toast(`${refused.length} of ${results.length} were refused. ${refused[0].message}`);
  refreshSelection();
  if (!bar.contains(document.activeElement) || document.activeElement.disabled) bar.querySelector("[data-select-all]").focus();
}

function sure(count) {
  const what = count === 1 ? "One job stops" : `${count} jobs stop`;
  return ask(`${what}: those that wait at once, those that run within seconds. They can be started again.`, {
    confirmTitle: count === 1 ? "Cancel this job?" : `Cancel ${count} jobs?`,
    confirmYes: count === 1 ? "Cancel the job" : `Cancel ${count} jobs`,
  });
}

async function send(body) {
  const answer = await fetch("/api/v1/jobs/actions", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (answer?.ok) return answer.json();
  if (answer?.status === 401) location.assign("/login");
  toast((answer && problemText(await answer.text())) ?? OFFLINE);
  return null;
}
