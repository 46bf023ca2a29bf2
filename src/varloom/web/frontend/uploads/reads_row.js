// The reads of one sample in the upload dialog: several files that become one job.
import { say } from "../announcer.js";
import { randomKey } from "./api.js";
import { Entry } from "./entry.js";
import { lanesOf, readsOptions, sampleOf, showReads } from "./reads.js";
import { Sending } from "./sending.js";
import { countText, leftText, percentText, queueText, sizeText } from "./texts.js";

const nameOf = (file) => file.name;

export class ReadsRow extends Entry {
  /** `changed` is called whenever the state is another. */
  constructor(files, presetName, changed) {
    const ordered = lanesOf(files, nameOf).flatMap((lane) => lane.items);
    const sample = sampleOf(ordered[0].name);
    super("file", ordered.length > 1 ? `${sample}: ${countText(ordered.length, "file")}` : ordered[0].name, changed);
    this.files = ordered;
    this.total = ordered.reduce((sum, file) => sum + file.size, 0);
    this._setKey = randomKey();
    this.sendings = ordered.map((file, index) => this._sending(file, index));
    this._arrived = 0;
    this._fill(presetName ?? sample);
    this.ready = this._prepare();
  }

  get options() {
    const { assembly, split_by_sample: split, ...asked } = super.options;
    return { ...asked, ...readsOptions(this) };
  }

  set options(given) {
    super.options = given;
  }

  /** By which the server knows what is on its way; null before. */
  get uploadId() {
    return this.sendings.find((one) => one.id)?.id ?? null;
  }

  async send() {
    this._set("sending");
    this._status("Starting");
    await this.ready;
    const unreadable = await this._unreadable();
    if (unreadable && this.state === "sending") return this._fail(unreadable);
    this._arrived = 0;
    for (const sending of this.sendings) {
      if (this.state !== "sending" && this.state !== "reconnecting") return;
      this._now = sending;
      const { job, error, arrived } = await sending.send(this._asked());
      if (job) return this._sent(job);
      if (error) return this._refused(error);
      if (!arrived) return;
      this._arrived += sending.file.size;
    }
    this._fail({ title: "The server made no job of these files", detail: "", resolution: ["Try again."] });
  }

  /** What was refused is refused as a whole: the next try sends all files, as another set. */
  _refused(error) {
    if (error.refused) {
      this._setKey = randomKey();
      for (const sending of this.sendings) sending.lose();
    }
    this._fail(error);
  }

  async pause() {
    const wasWaiting = this.state === "waiting";
    this._set("paused");
    if (wasWaiting) return;
    await this._now?.pause();
    this._status(`Paused at ${percentText(this.find("progress").value, this.total)}`);
    say(`Upload of ${this.label} paused`, { of: this.label });
  }

  async cancel() {
    this.state = "cancelled";
    for (const sending of this.sendings) await sending.cancel();
  }

  _sending(file, index) {
    const on = {
      progress: (progress) => this._showProgress(progress),
      standing: () => {},
      reconnecting: () => this._set("reconnecting"),
    };
    return new Sending(file, on, () => ({ set: this._setKey, position: index + 1, files: this.files.length }));
  }

  _fill(name) {
    this.find("[data-size]").textContent = sizeText(this.total);
    this.find("[data-group]").setAttribute("aria-label", this.label);
    this.find("progress").setAttribute("aria-label", `Upload of ${this.label}`);
    this.field("sample_name").value = name;
    this.find("[data-facts]").textContent = "Reads: they are aligned, and their variants become the table";
    const refusal = showReads(this, this.files, nameOf);
    this._set("chosen");
    if (refusal === null) return;
    this._showError(refusal);
    this._set("refused");
    say(`${this.label} cannot be loaded: ${refusal.detail}`, { of: this.label, kind: "refused" });
  }

  /** Files that broke off earlier go on where they were, if they were sent together then, too. */
  async _prepare() {
    const earlier = await Promise.all(this.sendings.map((one) => one.findEarlier()));
    const [set, ...others] = new Set(earlier.filter(Boolean).map((upload) => upload.set));
    const fits = earlier.every((upload, index) => !upload || (upload.position === index + 1 && upload.files === this.files.length));
    if (set && !others.length && fits) {
      this._setKey = set;
      this.element.dataset.earlier = "true";
      const there = earlier.reduce((sum, upload) => sum + (upload?.offset ?? 0), 0);
      this._status(`${percentText(there, this.total)} of it is on the server already. It goes on from there.`);
    } else {
      for (const sending of this.sendings) await sending.cancel();
    }
  }

  _showProgress({ sent, rate }) {
    if (this.state === "reconnecting") this._set("sending");
    if (this.state !== "sending") return;
    const done = this._arrived + sent;
    const bar = this.find("progress");
    bar.max = this.total || 1;
    bar.value = done;
    const pace = [rate ? `${sizeText(rate)}/s` : "", rate ? leftText((this.total - done) / rate) : ""].filter(Boolean).join(", ");
    this._status(done < this.total ? `${sizeText(done)} of ${sizeText(this.total)}` : "Storing the files", done < this.total ? pace : "");
  }

  _sent(job) {
    this._set("sent");
    this._status(`Uploaded. ${queueText(job)}`.trim());
    say(`${this.label} uploaded`, { of: this.label, kind: "uploaded" });
  }

  _fail(error) {
    this._showError(error);
    this._set(error.refused ? "refused" : this.uploadId && !error.code ? "paused" : "failed");
    this._status("");
    say(`Upload of ${this.label} stopped: ${error.title}`, { of: this.label, kind: "stopped" });
  }
}
