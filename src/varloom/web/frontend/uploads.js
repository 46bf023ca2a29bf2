// The upload dialog: files are chosen or dropped, named, and sent one after another.
import { openJobManager } from "./job_manager.js";
import { sendFile } from "./sending.js";

const EXTENSIONS = /(\.(vcf|gvcf|g\.vcf|bcf|csv|tsv|tab|txt|json|parquet))?(\.(gz|bgz|bgzf|bz2|xz|zst|zip))?$/i;
const VCF_LIKE = /\.g?(vcf|bcf)(\.\w+)?$/i;

let dialog;
let list;
let send;
let rows = []; // what is in the dialog: {file, element, state, abort}
let running = false;
let presetName = null;
let openedBy = null;

export function startUploads() {
  dialog = document.getElementById("upload");
  list = document.getElementById("upload-files");
  send = document.getElementById("upload-send");
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open-upload]");
    if (opener) open(opener);
    if (event.target.closest("[data-close-upload]")) dialog.close();
  });
  const input = document.getElementById("upload-input");
  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
  });
  document.getElementById("upload-form").addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  dialog.addEventListener("close", closed);
  window.addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
  startDropping();
}

function open(opener) {
  presetName = opener?.dataset.sampleName ?? null;
  openedBy = opener ?? null;
  if (!dialog.open) dialog.showModal();
}

// Closing hides an upload that is under way, it does not stop it; what was only chosen is forgotten.
function closed() {
  if (!running) clear();
  presetName = null;
  if (document.getElementById("job-manager").hidden) openedBy?.focus();
}

function clear() {
  rows = [];
  list.replaceChildren();
  update();
}

function startDropping() {
  const veil = document.getElementById("drop-veil");
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (on) => (veil.hidden = !on);
  window.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) show(++depth > 0);
  });
  window.addEventListener("dragleave", (event) => {
    if (carriesFiles(event)) show((depth = Math.max(0, depth - 1)) > 0);
  });
  window.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    show((depth = 0));
    open(null);
    add(event.dataTransfer.files);
  });
}

function add(files) {
  for (const file of files) {
    const element = document.getElementById("upload-file-template").content.firstElementChild.cloneNode(true);
    const row = { file, element, state: "chosen", abort: null };
    element.querySelector(".upload-file-name").textContent = file.name;
    element.querySelector("[data-size]").textContent = sizeText(file.size);
    element.querySelector("[name=sample_name]").value = presetName ?? sampleName(file.name);
    element.querySelector("[data-split]").hidden = !VCF_LIKE.test(file.name);
    const remove = element.querySelector("[data-remove]");
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => drop(row));
    presetName = null;
    rows.push(row);
    list.append(element);
  }
  update();
  rows.at(-1)?.element.querySelector("[name=sample_name]").focus();
}

function drop(row) {
  row.abort?.();
  rows = rows.filter((other) => other !== row);
  row.element.remove();
  update();
  document.getElementById("upload-input").focus();
}

/** Send what was chosen, one file after another; then the Job Manager shows where they stand. */
async function start() {
  if (running || !complete()) return;
  running = true;
  update();
  let sent = 0;
  for (let row; (row = rows.find((other) => other.state === "chosen")); ) {
    if (await transmit(row)) sent += 1;
  }
  running = false;
  if (rows.every((row) => row.state === "sent")) {
    dialog.close();
    clear();
  }
  update();
  if (sent) openJobManager(openedBy ?? undefined);
}

function complete() {
  for (const { element, state } of rows) {
    const name = element.querySelector("[name=sample_name]");
    const missing = state === "chosen" && name.value.trim() === "";
    name.setAttribute("aria-invalid", String(missing));
    if (missing) name.focus();
  }
  return !list.querySelector("[aria-invalid=true]");
}

async function transmit(row) {
  setState(row, "sending");
  const upload = sendFile(row.file, optionsOf(row.element), (progress) => showProgress(row.element, progress));
  row.abort = upload.abort;
  const answer = await upload.answer;
  row.abort = null;
  if (answer.aborted) return false;
  if (answer.error) {
    showError(row.element, answer.error);
    setState(row, "failed");
    if (!dialog.open) dialog.showModal();
    return false;
  }
  setState(row, "sent");
  setStatus(row.element, placeText(answer.job));
  return true;
}

function optionsOf(element) {
  return {
    sample_name: element.querySelector("[name=sample_name]").value.trim(),
    assembly: element.querySelector("[name=assembly]").value,
    split_by_sample: element.querySelector("[name=split_by_sample]").checked,
  };
}

function placeText(job) {
  if (job.state !== "queued" || job.queue_position === null) return "Uploaded";
  return job.queue_position ? `Uploaded. Queued with ${job.queue_position} ahead` : "Uploaded. Next for a Parsing slot";
}

function setState(row, state) {
  row.state = state;
  row.element.dataset.state = state;
  for (const field of row.element.querySelectorAll("input, select")) field.disabled = state !== "chosen" && state !== "failed";
  row.element.querySelector("[data-error]").hidden = state !== "failed";
  row.element.querySelector("[data-remove]").hidden = state === "sent";
  if (state === "failed") setStatus(row.element, "");
  update();
}

function showProgress(element, { sent, total, rate }) {
  const bar = element.querySelector("progress");
  bar.max = total || 1;
  bar.value = sent;
  setStatus(element, sent < total ? `${sizeText(sent)} of ${sizeText(total)}` : "Storing the file", rate ? `${sizeText(rate)}/s` : "");
}

function setStatus(element, text, pace = "") {
  element.querySelector("[data-status]").textContent = text;
  element.querySelector("[data-pace]").textContent = pace;
}

function showError(element, { title, detail, resolution }) {
  element.querySelector("[data-error-title]").textContent = `${title}.`;
  element.querySelector("[data-error-text]").textContent = detail ?? "";
  const steps = (resolution ?? []).map((step) => withCode(document.createElement("li"), step));
  element.querySelector("[data-error-steps]").replaceChildren(...steps);
}

/** Fill an element with a text whose parts between backticks are code. */
function withCode(element, text) {
  const parts = text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));
  element.append(...parts);
  return element;
}

function update() {
  const waiting = rows.filter(({ state }) => state === "chosen" || state === "failed");
  for (const row of waiting) row.state = running ? row.state : "chosen";
  send.disabled = running || waiting.length === 0;
  document.getElementById("upload-label").textContent = running ? "Uploading" : "Upload";
  send.textContent = running ? "Uploading" : waiting.length > 1 ? `Upload ${waiting.length} files` : "Upload";
}

/** A descriptive default: the file's name without the extensions of the formats that are known. */
function sampleName(name) {
  return name.replace(EXTENSIONS, "").replace(/^[ .]+|[ .]+$/g, "") || name;
}

export function sizeText(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit]}`;
}
