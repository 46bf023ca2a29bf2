// The upload dialog: files are chosen or dropped, URLs written; all are named, and sent, a few at a time. Files can be
// paused and gone on with.
import { say } from "./announcer.js";
import { cancelUpload, lookAtUrls, unfinished } from "./uploads/api.js";
import { openJobManager } from "./job_manager.js";
import { AT_REST } from "./uploads/entry.js";
import { forget, idsBeingSent, lockName, rememberedIds } from "./uploads/memory.js";
import { looksLikeManifest, ManifestRow } from "./uploads/manifest_row.js";
import { together } from "./uploads/reads.js";
import { ReadsRow } from "./uploads/reads_row.js";
import { Row } from "./uploads/row.js";
import { countText, percentText, sizeText } from "./uploads/texts.js";
import { UrlRow } from "./uploads/url_row.js";
import { UrlField } from "./uploads/urls.js";

const AT_ONCE = 3; // a browser opens six connections to a server, and pages need some

let dialog;
let list;
let send;
let announcer;
let rows = [];
let urls;
const lanes = { file: 0, url: 0, manifest: 0 }; // how many of a kind are being sent; what takes a moment need not wait for files
let presetName = null;
let openedBy = null;
let drawing = false;

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
  const manifests = document.getElementById("upload-manifest-input");
  manifests.addEventListener("change", () => {
    addManifests(manifests.files);
    manifests.value = "";
  });
  document.getElementById("upload-form").addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  urls = new UrlField({ listed: () => rows.filter((row) => row.kind === "url").flatMap((row) => row.urls), take: addUrls });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && offerCredentials());
  document.getElementById("upload-apply").addEventListener("click", applyToAll);
  document.getElementById("upload-clear").addEventListener("click", removeAll);
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
  if (!isUnderWay()) take(rows.filter((row) => row.state !== "sent"));
  dialog.showModal();
  dialog.append(announcer); // what lies outside of a modal dialog is not spoken
  showBroken();
}

// Closing hides what is in the list, it does not stop or forget it: whoever pressed Escape by mistake opens the dialog
// again. What needs nothing more goes: what was handed over, and files that cannot be loaded.
function closed() {
  document.body.append(announcer);
  if (!isUnderWay()) take(rows.filter((row) => row.canBeSent));
  const kept = rows.filter((row) => row.canBeSent);
  if (kept.length) say(`${kindsText(kept)} kept in the list`, { of: "the list" });
  presetName = null;
  if (document.getElementById("job-manager").hidden) openedBy?.focus();
}

/** Keep only these rows. */
function take(kept) {
  for (const row of rows) if (!kept.includes(row)) row.element.remove();
  rows = kept;
  update();
}

/** Take out all that is not on its way. */
function removeAll() {
  const gone = rows.filter((row) => AT_REST.has(row.state));
  take(rows.filter((row) => !gone.includes(row)));
  for (const row of gone) row.leave();
  say(`${kindsText(gone)} removed`, { of: "the list" });
  document.getElementById("upload-input").focus();
  showBroken();
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

/** Files go into the list; one whose header is a manifest's as such, with the choice to load it as a table instead. */
async function add(files) {
  const some = [...files]; // the list of an input is emptied meanwhile
  const added = [];
  for (const { reads, items } of together(some, (file) => file.name)) {
    if (reads) added.push(enlist(readsRow(items)));
    else for (const file of items) added.push(enlist((await looksLikeManifest(file)) ? new ManifestRow(file, loadAsTable, update) : fileRow(file)));
  }
  update();
  showName(added.at(-1));
}

function fileRow(file) {
  const row = new Row(file, takePreset(), update, loadAsReads);
  row.ready.then(showBroken);
  return row;
}

function readsRow(files) {
  const row = new ReadsRow(files, takePreset(), update);
  row.ready.then(showBroken);
  return row;
}

/** A file that is not called as reads are, and holds them. */
function loadAsReads(row) {
  enlist(readsRow([row.file]), row);
  update();
}

function addManifests(files) {
  const added = [...files].map((file) => enlist(new ManifestRow(file, null, update)));
  document.getElementById("upload-from-urls").open = false; // the list needs the room
  update();
  showName(added.at(-1));
}

function loadAsTable(manifest) {
  const row = enlist(fileRow(manifest.file), manifest);
  manifest.cancel();
  update();
  showName(row);
}

function addUrls(found, stored) {
  const added = together(found, (one) => one.found.name).flatMap(({ reads, items }) =>
    reads ? [urlRow(items, stored, true)] : items.map((one) => urlRow([one], stored, false)),
  );
  update();
  showName(added[0]);
}

const urlRow = (some, stored, reads) => enlist(new UrlRow(some, stored, takePreset(), update, reads));

/** Put an entry at the end of the list, or in the place of another. */
function enlist(row, instead = null) {
  row.find("[data-remove]").addEventListener("click", () => drop(row));
  row.find("[data-pause]").addEventListener("click", () => pauseOrResume(row));
  if (instead) rows[rows.indexOf(instead)] = row;
  else rows.push(row);
  if (instead) instead.element.replaceWith(row.element);
  else list.append(row.element);
  return row;
}

function takePreset() {
  const name = presetName;
  presetName = null;
  return name;
}

function showName(row) {
  row?.mainField.focus();
  row?.mainField.scrollIntoView({ block: "nearest" });
}

/** Credentials may have been stored or removed since the URLs were added, in another tab or by the command line. */
async function offerCredentials() {
  const waiting = rows.filter((row) => row.kind === "url" && row.canBeSent);
  if (!waiting.length) return;
  const { sources, stored } = await lookAtUrls(waiting.map((row) => row.url));
  sources?.forEach((found, index) => found.error || waiting[index].offer(found, stored));
  update();
}

async function drop(row) {
  const next = rows[rows.indexOf(row) + 1] ?? rows[rows.indexOf(row) - 1];
  rows = rows.filter((other) => other !== row);
  row.element.remove();
  update();
  (next?.find("[data-remove]") ?? document.getElementById("upload-input")).focus();
  if (!AT_REST.has(row.state)) return row.cancel();
  row.leave();
  await showBroken();
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
  const to = rows.filter((one) => one.canBeSent && one.kind !== "manifest");
  for (const row of to) row.options = options;
  say(`Applied to ${kindsText(to)}`);
}

/** Send what was chosen, a few at a time; then the Job Manager shows where they stand. */
async function start() {
  if (!urls.isEmpty) return urls.add(); // what is still in the field would be left behind
  const waiting = rows.filter((row) => row.canBeSent);
  const unnamed = waiting.filter((row) => !row.checkName());
  if (unnamed.length) return unnamed[0].field("sample_name").focus();
  for (const row of waiting) row.wait();
  const first = rows.find((row) => row.isActive);
  (first?.find("[data-pause]:not([hidden])") ?? first?.find("[data-remove]"))?.focus();
  run();
}

/** Send what waits, beside what is being sent already. */
function run() {
  for (const kind of Object.keys(lanes)) {
    const waiting = rows.filter((row) => row.kind === kind && row.state === "waiting").length;
    for (let free = Math.min(waiting, AT_ONCE - lanes[kind]); free > 0; free -= 1) sendOnes(kind);
  }
}

async function sendOnes(kind) {
  lanes[kind] += 1;
  for (let row; (row = rows.find((one) => one.kind === kind && one.state === "waiting")); ) {
    await row.send();
    if (["failed", "paused", "refused"].includes(row.state) && row.find("[data-error]:not([hidden])") && !dialog.open) open(openedBy);
  }
  lanes[kind] -= 1;
  if (Object.values(lanes).every((busy) => busy === 0)) ended();
}

function ended() {
  update();
  if (rows.some((row) => row.isActive)) return;
  if (rows.length && rows.every((row) => row.state === "sent")) {
    dialog.close();
    take([]);
    return openJobManager(openedBy ?? undefined);
  }
  offerCredentials();
  const failed = rows.find((row) => row.canBeSent);
  if (failed && dialog.open && !dialog.contains(document.activeElement)) showName(failed);
  failed?.find("[data-error]").scrollIntoView({ block: "nearest" });
}

// What this browser had begun to send before the page was left: it goes on when the file is chosen again.
async function showBroken() {
  const mine = rememberedIds();
  const here = new Set(rows.map((row) => row.uploadId));
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

// Once for all that changed in the same moment: five hundred URLs come at once.
function update() {
  if (drawing) return;
  drawing = true;
  queueMicrotask(draw);
}

function draw() {
  drawing = false;
  const waiting = rows.filter((row) => row.canBeSent);
  const active = rows.filter((row) => row.isActive);
  send.disabled = waiting.length === 0;
  send.textContent = sendText(waiting, active);
  showAll(waiting);
  document.getElementById("upload-drop").classList.toggle("drop-small", rows.length > 0);
  document.getElementById("upload-clear").hidden = rows.filter((row) => AT_REST.has(row.state)).length < 2;
  const refused = rows.filter((row) => row.state === "refused").length;
  const note = document.getElementById("upload-refused");
  note.hidden = refused === 0;
  note.textContent = `${countText(refused, "file")} cannot be loaded`;
  const label = labelText(waiting, active);
  document.getElementById("upload-label").textContent = label;
  document.getElementById("upload-noun").hidden = label !== "Upload";
}

// What the button in the header tells of a list that is out of sight.
function labelText(waiting, active) {
  if (active.length) return "Uploading";
  if (rows.some((row) => row.state === "paused")) return "Upload paused";
  return waiting.length ? `Upload (${waiting.length.toLocaleString("en")})` : "Upload";
}

function sendText(waiting, active) {
  if (waiting.some((row) => row.kind !== "file")) return `Load ${kindsText(waiting)}`;
  if (waiting.length > 1) return `Upload ${kindsText(waiting)}`;
  return waiting.length || !active.length ? "Upload" : "Uploading";
}

/** "2 files", "3 URLs", "1 file and 3 URLs". */
function kindsText(some) {
  const [own, others] = [some.filter((row) => row.kind === "file"), some.filter((row) => row.kind !== "file")];
  const counts = [[own.reduce((sum, row) => sum + (row.files?.length ?? 1), 0), "file"], [others.reduce((sum, row) => sum + row.count, 0), "URL"]];
  const told = counts.filter(([count]) => count > 0).map(([count, noun]) => countText(count, noun));
  return told.join(" and ");
}

// What can be chosen for all of them: the credentials are those that some URL may be asked for with.
function showAll(sendable) {
  const waiting = sendable.filter((row) => row.kind !== "manifest"); // its options stand in its lines
  const kinds = new Set(waiting.map((row) => row.kind));
  const nouns = kinds.size > 1 ? "files and URLs" : kinds.has("url") ? "URLs" : "files";
  document.getElementById("upload-all").hidden = waiting.length < 2;
  document.getElementById("upload-all-legend").textContent = `For all ${nouns}`;
  const field = document.querySelector("#upload-all [name=all_credential]");
  const names = [...new Set(waiting.flatMap((row) => row.credentials ?? []))];
  field.closest(".field").hidden = names.length === 0;
  const chosen = field.value;
  if (names.join("\n") === [...field.options].slice(2).map(({ value }) => value).join("\n")) return;
  field.replaceChildren(new Option("Leave as it is", "keep"), new Option("None", ""), ...names.map((name) => new Option(name, name)));
  field.value = names.includes(chosen) || chosen === "" ? chosen : "keep";
}
