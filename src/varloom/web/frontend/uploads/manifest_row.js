// A manifest in the upload dialog: what each of its lines would be, and what is wrong with which. All lines become jobs, or
// none does.
import { say } from "../announcer.js";
import { createManifestJobs, lookAtManifest } from "./api.js";
import { HandedOver } from "./handed_over.js";
import { countText, sizeText, withCode } from "./texts.js";

const SHOWN = 50;
const MORE = 500;
const HEADER = 64 << 10; // bytes in which the header is looked for
const TEXTS = /\.(csv|tsv|txt|tab)$/i;
const HEADER_FAULT = "manifest_header_invalid";

/** Whether a file that was dropped is likely a manifest: a text whose first line names a manifest's columns, and no others. */
export async function looksLikeManifest(file) {
  const { columns, mostBytes } = document.getElementById("upload").dataset;
  if (!TEXTS.test(file.name) || file.size > Number(mostBytes)) return false;
  const bytes = new Uint8Array(await file.slice(0, HEADER).arrayBuffer().catch(() => new ArrayBuffer(0)));
  const lines = textOf(bytes).split(/\r\n|\n|\r/);
  const header = lines.find((line) => line.trim() && !line.trimStart().startsWith("#")) ?? "";
  const delimiter = ["\t", ";", ","].find((one) => header.includes(one)) ?? "\t";
  const names = header.split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, "$1").toLowerCase().replace(/[\s-]+/g, "_"));
  const known = new Set(columns.split(" "));
  return names.includes("url") && names.every((name) => known.has(name));
}

function textOf(bytes) {
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(wide).decode(bytes);
}

export class ManifestRow extends HandedOver {
  /** `asTable` is called when the file is to be loaded as a table instead; null where it was chosen as a manifest. */
  constructor(file, asTable, changed) {
    super("manifest", file.name, changed, "upload-manifest-template");
    this.file = file;
    this._found = null;
    this._shown = 0;
    this._fill(asTable);
    this._set("chosen");
    this.ready = this._prepare();
  }

  /** How many jobs would come of it. */
  get count() {
    return this._found?.lines.length ?? 0;
  }

  get mainField() {
    return this.find("[data-remove]");
  }

  get canBeSent() {
    const whole = this._found?.faulty === 0 || this._skip.checked;
    return super.canBeSent && this.count > 0 && whole;
  }

  get options() {
    return {};
  }

  set options(given) {
    // they stand in its lines
  }

  checkName() {
    return true;
  }

  // --- looking ----------------------------------------------------------------------------------------------------

  _fill(asTable) {
    this._skip = this.find("[name=skip_faulty]");
    this._skip.addEventListener("change", () => this._changed(this));
    this.find("[data-size]").textContent = sizeText(this.file.size);
    this.find("[data-group]").setAttribute("aria-label", `Manifest ${this.file.name}`);
    this.find("[data-lines]").setAttribute("aria-label", `Lines of ${this.file.name}`);
    this.find("[data-facts]").textContent = "Looking at the manifest";
    this.find("[data-more]").addEventListener("click", () => this._showMore(MORE));
    this.find("[data-as-table-box]").hidden = !asTable;
    this.find("[data-as-table]").addEventListener("click", () => asTable(this));
  }

  async _prepare() {
    const { body, error } = await lookAtManifest(this.file);
    if (this.state === "cancelled") return;
    if (error) return this._refuse(error);
    this._found = body;
    const good = countText(body.lines.length, "URL");
    this.find("[data-facts]").textContent = body.faulty ? `${countText(body.total, "line")}, ${good} without a fault` : good;
    this._showMore(SHOWN);
    this._showFaults(body.problems, body.faulty);
    this._changed(this);
    const faults = body.faulty ? `, ${countText(body.faulty, "line")} with faults` : "";
    say(`${this.label} is a manifest of ${countText(body.total, "line")}${faults}`, { of: this.label });
  }

  _refuse(error) {
    this.find("[data-facts]").textContent = "";
    const more = (error.problems ?? []).map(({ message }) => message).join(" ");
    this._showError({ ...error, detail: `${error.detail} ${more}`.trim() });
    this._set(error.status ? "refused" : "failed");
    if (error.code === HEADER_FAULT) this.find("[data-as-table]").textContent = "Load it as a table";
    say(`${this.label}: ${error.title}`, { of: this.label, kind: "refused" });
  }

  _showMore(count) {
    const upTo = Math.min(this._shown + count, this._found.lines.length);
    const rows = this._found.lines.slice(this._shown, upTo).map((line) => this._lineRow(line));
    this.find("[data-lines] tbody").append(...rows);
    this._shown = upTo;
    const left = this._found.lines.length - upTo;
    const more = this.find("[data-more]");
    more.hidden = left === 0;
    more.textContent = `Show ${left > MORE ? `${MORE} of ` : ""}${countText(left, "more line")}`;
    this.find("[data-lines]").hidden = upTo === 0;
  }

  _lineRow({ line, url, sample_name: name, further, ...options }) {
    const row = document.createElement("tr");
    const cells = [line.toLocaleString("en"), name, further.length ? `${url} and ${further.length} more` : url, optionsText(options)];
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
  }

  _showFaults(problems, faulty) {
    const box = this.find("[data-faults]");
    box.hidden = problems.length === 0;
    if (!problems.length) return;
    this.find("[data-faults-title]").textContent =
      `${countText(faulty, "line")} ${faulty === 1 ? "has a fault" : "have faults"}. While there are any, nothing of the manifest is loaded.`;
    this.find("[data-faults-list]").replaceChildren(...problems.map(faultItem));
    const told = new Set(problems.map(({ line }) => line)).size;
    this.find("[data-faults-more]").hidden = told >= faulty;
    this.find("[data-faults-more]").textContent = `The faults of the first ${told} of them are told.`;
    const steps = [...new Set(problems.flatMap(({ resolution }) => resolution))];
    this.find("[data-faults-steps]").replaceChildren(...steps.map((step) => withCode(document.createElement("li"), step)));
    this.find("[data-skip]").hidden = this.count === 0;
  }

  // --- the way ----------------------------------------------------------------------------------------------------

  _create(key) {
    return createManifestJobs(this.file, { skip_faulty: this._skip.checked }, key);
  }

  _sent({ jobs }) {
    this._set("sent");
    this._status(`Handed over. ${countText(jobs.length, "job")} made`);
    say(`${this.label} handed over`, { of: this.label, kind: "handed over" });
  }

  _fail(error) {
    super._fail(error);
    if (error.problems?.length) this._showFaults(error.problems, new Set(error.problems.map(({ line }) => line)).size);
  }

  get _unsureText() {
    return "It may have this manifest already. Trying again makes no second set of jobs.";
  }

  _set(state) {
    super._set(state);
    this._skip.disabled = this.find("[data-as-table]").disabled = !["chosen", "refused", "failed"].includes(state);
  }
}

function faultItem({ line, field, message }) {
  const where = Object.assign(document.createElement("strong"), { textContent: `Line ${line.toLocaleString("en")}${field ? `, ${field}` : ""}: ` });
  const item = document.createElement("li");
  item.append(where, message);
  return item;
}

function optionsText({ reference, alignment_format: keptAs, sex_chromosomes: sex, assembly, annotate, pgx, split_by_sample: split, credential, priority }) {
  const told = [reference ? `reads to ${reference}` : assembly, reference && keptAs === "cram" && "kept as CRAM", reference && sex !== "auto" && sex.toUpperCase(), annotate && `${annotate} variants annotated`, pgx && "PGx", split && "split by sample", credential && `credential ${credential}`, priority && `priority ${priority}`];
  return told.filter(Boolean).join(", ");
}
