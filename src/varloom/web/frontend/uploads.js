// The upload dialog: files are chosen or dropped, named, and sent, a few at a time; each can be paused and gone on with.
import { say } from "./announcer.js";
import { cancelUpload, unfinished } from "./uploads/api.js";
import { openJobManager } from "./job_manager.js";
import { forget, idsBeingSent, lockName, rememberedIds } from "./uploads/memory.js";
import { Row } from "./uploads/row.js";
import { percentText, sizeText } from "./uploads/texts.js";

const AT_ONCE = 3; // a browser opens six connections to a server, and pages need some

let dialog;
let list;
let send;
let announcer;
let rows = [];
let batch = null; // the promise of what is being sent
let presetName = null;
let openedBy = null;

export function startUploads() {
  dialog = document.getElementById("upload");
  list = document.getElementById("upload-files");
  send = document.getElementById("upload-send");
  announcer = document.getElementById("announcer");
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
  document.getElementById("upload-apply").addEventListener("click", applyToAll);
  document.getElementById("upload-all").addEventListener("change", ({ target }) => (target.dataset.touched = "true"));
  dialog.addEventListener("close", closed);
  window.addEventListener("beforeunload", (event) => {
    if (isUnderWay()) event.preventDefault();
  });
  startDropping();
}

const isUnderWay = () => rows.some((row) => row.isActive || row.state === "paused");

function open(opener) {
  presetName = opener?.dataset.sampleName ?? null;
  openedBy = opener ?? null;
  if (dialog.open) return;
  dialog.showModal();
  dialog.append(announcer); // what lies outside of a modal dialog is not spoken
  showBroken();
}

// Closing hides an upload that is under way, it does not stop it; what was only chosen is forgotten.
function closed() {
  document.body.append(announcer);
  if (!isUnderWay()) clear();
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
  const added = [...files].map((file) => {
    const row = new Row(file, presetName, update);
    presetName = null;
    row.find("[data-remove]").addEventListener("click", () => drop(row));
    row.find("[data-pause]").addEventListener("click", () => pauseOrResume(row));
    rows.push(row);
    list.append(row.element);
    row.ready.then(showBroken);
    return row;
  });
  update();
  const name = added.at(-1)?.field("sample_name");
  name?.focus();
  name?.scrollIntoView({ block: "nearest" });
}

async function drop(row) {
  const next = rows[rows.indexOf(row) + 1] ?? rows[rows.indexOf(row) - 1];
  rows = rows.filter((other) => other !== row);
  row.element.remove();
  update();
  (next?.find("[data-remove]") ?? document.getElementById("upload-input")).focus();
  await row.cancel();
}

async function pauseOrResume(row) {
  if (row.state !== "paused") return row.pause();
  row.wait();
  await run();
}

function applyToAll() {
  const options = {};
  for (const field of document.querySelectorAll("#upload-all :is(select, input):enabled")) {
    const name = field.name.replace("all_", "");
    if (field.type === "checkbox" ? field.dataset.touched : field.value !== "keep") options[name] = field.type === "checkbox" ? field.checked : field.value;
  }
  const to = rows.filter((one) => one.canBeSent);
  for (const row of to) row.options = options;
  say(`Applied to ${to.length} files`);
}

/** Send what was chosen, a few at a time; then the Job Manager shows where they stand. */
async function start() {
  const waiting = rows.filter((row) => row.canBeSent);
  const unnamed = waiting.filter((row) => !row.checkName());
  if (unnamed.length) return unnamed[0].field("sample_name").focus();
  for (const row of waiting) row.wait();
  rows.find((row) => row.isActive)?.find("[data-pause]").focus();
  await run();
}

/** Send what waits, beside what is being sent already. */
async function run() {
  batch ??= Promise.all(Array.from({ length: AT_ONCE }, sendOnes)).then(ended);
  await batch;
  if (rows.some((row) => row.state === "waiting")) await run();
}

async function sendOnes() {
  for (let row; (row = rows.find(({ state }) => state === "waiting")); ) {
    await row.send();
    if (["failed", "paused"].includes(row.state) && row.find("[data-error]:not([hidden])") && !dialog.open) open(openedBy);
  }
}

function ended() {
  batch = null;
  update();
  const sent = rows.filter((row) => row.state === "sent");
  if (rows.some((row) => row.isActive)) return;
  if (rows.length && sent.length === rows.length) {
    dialog.close();
    clear();
    openJobManager(openedBy ?? undefined);
  }
}

// What this browser had begun to send before the page was left: it goes on when the file is chosen again.
async function showBroken() {
  const mine = rememberedIds();
  const here = new Set(rows.map((row) => row.sending.id));
  const known = mine.size ? (await unfinished()).filter(({ id }) => mine.has(id) && !here.has(id)) : [];
  const sent = known.length ? await idsBeingSent() : new Set();
  const broken = known.filter(({ id }) => !sent.has(lockName(id)));
  const box = document.getElementById("upload-broken");
  const items = broken.map((upload) => {
    const item = document.getElementById("upload-broken-template").content.firstElementChild.cloneNode(true);
    item.querySelector("[data-name]").textContent = upload.name;
    item.querySelector("[data-share]").textContent = `${percentText(upload.offset, upload.bytes)} of ${sizeText(upload.bytes)}`;
    const discard = item.querySelector("button");
    discard.setAttribute("aria-label", `Discard ${upload.name}`);
    discard.addEventListener("click", async () => {
      forget(upload.id);
      await cancelUpload(upload.id);
      await showBroken();
      document.getElementById("upload-input").focus();
    });
    return item;
  });
  box.querySelector("ul").replaceChildren(...items);
  box.hidden = items.length === 0;
}

function update() {
  const waiting = rows.filter((row) => row.canBeSent);
  const active = rows.filter((row) => row.isActive);
  send.disabled = waiting.length === 0;
  send.textContent = waiting.length > 1 ? `Upload ${waiting.length} files` : waiting.length || !active.length ? "Upload" : "Uploading";
  document.getElementById("upload-all").hidden = waiting.length < 2;
  document.getElementById("upload-drop").classList.toggle("drop-small", rows.length > 0);
  document.getElementById("upload-label").textContent = active.length ? "Uploading" : "Upload";
}
