// One file in the upload dialog: what its beginning told, and how far it is.
import { say } from "../announcer.js";
import { lookAt } from "./api.js";
import { AT_REST, Entry, VCF_LIKE } from "./entry.js";
import { areReadsByContent } from "./reads.js";
import { Sending } from "./sending.js";
import { factsText, leftText, percentText, queueText, sampleName, sizeText } from "./texts.js";

export class Row extends Entry {
  /** `changed` is called whenever the state is another, `asReads` when the file turns out to hold reads. */
  constructor(file, presetName, changed, asReads = null) {
    super("file", file.name, changed);
    this.file = file;
    this._asReads = asReads;
    this.sending = new Sending(file, {
      progress: (progress) => this._showProgress(progress),
      standing: (upload) => this._showStanding(upload),
      reconnecting: () => this._set("reconnecting"),
    });
    this._fill(presetName);
    this.ready = this._prepare();
  }

  set options(given) {
    super.options = given;
    this._warnOfAssembly();
  }

  get options() {
    return super.options;
  }

  /** By which the server knows what is on its way; null before. */
  get uploadId() {
    return this.sending.id;
  }

  async send() {
    this._set("sending");
    this._status("Starting");
    await this.ready;
    const unreadable = await this._unreadable();
    if (this.state !== "sending") return;
    if (unreadable) return this._fail(unreadable);
    const { job, error } = await this.sending.send(this._asked());
    if (job) this._sent(job);
    else if (error) this._fail(error);
  }

  async pause() {
    if (this.state === "waiting") return this._set("paused");
    this._set("paused");
    await this.sending.pause();
    this._status(`Paused at ${percentText(this.find("progress").value, this.file.size)}`);
    say(`Upload of ${this.file.name} paused`, { of: this.file.name });
  }

  async cancel() {
    this.state = "cancelled";
    await this.sending.cancel();
  }

  // --- the beginning ----------------------------------------------------------------------------------------------

  _fill(presetName) {
    this.find("[data-size]").textContent = sizeText(this.file.size);
    this.find("[data-group]").setAttribute("aria-label", this.file.name);
    this.find("progress").setAttribute("aria-label", `Upload of ${this.file.name}`);
    this.field("sample_name").value = presetName ?? sampleName(this.file.name);
    this._hasName = Boolean(presetName);
    this.find("[data-split]").hidden = !VCF_LIKE.test(this.file.name);
    this.find("[data-facts]").textContent = "Looking at the file";
    this.field("assembly").addEventListener("change", (event) => {
      event.target.dataset.chosen = "true";
      this._warnOfAssembly();
    });
    this.field("pgx")?.addEventListener("change", () => this._warnOfAssembly());
    this.find("[data-use-assembly]").addEventListener("click", () => this._useAssembly());
    this._set("chosen");
  }

  async _prepare() {
    const [found, earlier] = await Promise.all([this.file.size ? lookAt(this.file) : null, this.sending.findEarlier()]);
    if (this.state === "cancelled") return;
    if (earlier) this._showEarlier(earlier);
    if (this._asReads && areReadsByContent(found) && this.state === "chosen") return this._asReads(this);
    this._showPreflight(found);
    this._changed(this);
  }

  _showEarlier(upload) {
    if (!this._hasName) this.field("sample_name").value = upload.sample_name;
    this.options = Object.fromEntries(Object.entries(upload.options).filter(([, value]) => value));
    this._progress(upload.offset);
    this._status(`${percentText(upload.offset, upload.bytes)} of it is on the server already. It goes on from there.`);
    this.element.dataset.earlier = "true";
    say(`${this.file.name} goes on where it broke off`, { of: this.file.name });
  }

  _showPreflight(found) {
    this._found = found;
    const facts = this.find("[data-facts]");
    facts.textContent = found ? factsText(found) : "";
    facts.hidden = facts.textContent === "";
    if (!found) return;
    if (found.samples !== null) this.find("[data-split]").hidden = found.samples < 1;
    const assembly = this.field("assembly");
    if (found.assembly && !assembly.dataset.chosen) assembly.value = found.assembly;
    this._warnOfAssembly();
    if (found.verdict === "refused" && (AT_REST.has(this.state) || !this.sending.id)) this._refuse(found.problems);
  }

  _refuse(problems) {
    const [{ message, line, excerpt, resolution }] = problems;
    const more = problems.length > 1 ? ` ${problems.length - 1} more ${problems.length === 2 ? "problem was" : "problems were"} found.` : "";
    const title = "This file cannot be loaded, so it is not sent";
    this._showError({ title, detail: message + more, line, excerpt, resolution });
    this._set("refused");
    say(`${this.file.name} cannot be loaded: ${message}`, { of: this.file.name, kind: "refused" });
  }

  // --- the assembly ---------------------------------------------------------------------------------------------

  _warnOfAssembly() {
    const chosen = this.field("assembly").value;
    const { assembly, assembly_evidence: evidence } = this._found ?? {};
    const wrong = Boolean(evidence) && chosen !== "" && chosen !== assembly;
    const refused = Boolean(evidence) && Boolean(this.field("pgx")?.checked) && assembly !== "GRCh38";
    const box = this.find("[data-assembly-warning]");
    box.hidden = !(wrong || refused) || this.state === "sent";
    if (box.hidden) return;
    const why = assembly ? `By ${evidence} in its header it is ${assembly}.` : `Its header declares ${evidence}.`;
    const what = refused ? "PGx is called on GRCh38 alone, so this file will be refused with it." : `${chosen} looks wrong for this file.`;
    this.find("[data-assembly-text]").textContent = `${what} ${why}`;
    const button = this.find("[data-use-assembly]");
    button.hidden = !wrong || !assembly;
    button.textContent = `Use ${assembly}`;
  }

  async _useAssembly() {
    const field = this.field("assembly");
    field.value = this._found.assembly;
    if (this.sending.id) {
      const { error } = await this.sending.change(this.options);
      if (error) return this._showError(error);
    }
    this._warnOfAssembly();
    say(`${this.file.name}: ${field.value} is used`, { of: this.file.name });
    (AT_REST.has(this.state) ? field : this.find("[data-pause]")).focus();
  }

  // --- the way --------------------------------------------------------------------------------------------------

  _showStanding({ preflight, assembly_warning: warning }) {
    if (!preflight || (this._found && this._found.verdict !== "unknown")) return;
    this._showPreflight(preflight);
    if (warning) say(`${this.file.name}: ${warning}`, { of: `${this.file.name} assembly` });
  }

  _showProgress({ sent, total, rate }) {
    if (this.state === "reconnecting") this._set("sending");
    if (this.state !== "sending") return;
    this._progress(sent);
    const left = rate ? leftText((total - sent) / rate) : "";
    const pace = [rate ? `${sizeText(rate)}/s` : "", left].filter(Boolean).join(", ");
    this._status(sent < total ? `${sizeText(sent)} of ${sizeText(total)}` : "Storing the file", sent < total ? pace : "");
  }

  _progress(sent) {
    const bar = this.find("progress");
    bar.max = this.file.size || 1;
    bar.value = sent;
  }

  _sent(job) {
    this._set("sent");
    this._warnOfAssembly();
    this._status(`Uploaded. ${queueText(job)}`.trim());
    say(`${this.file.name} uploaded`, { of: this.file.name, kind: "uploaded" });
  }

  _fail(error) {
    this._showError(error);
    this._set(error.refused ? "refused" : this.sending.id && !error.code ? "paused" : "failed");
    this._status("");
    say(`Upload of ${this.file.name} stopped: ${error.title}`, { of: this.file.name, kind: "stopped" });
  }

  _set(state) {
    const before = this.state;
    super._set(state);
    if (state === "reconnecting" && before !== state) {
      this._status("The connection broke. Trying again");
      say(`Upload of ${this.file.name}: the connection broke, trying again`, { of: this.file.name });
    }
  }
}
