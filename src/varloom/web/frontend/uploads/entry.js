// One entry of the upload dialog, be it a file or a URL: its options, its state, and what went wrong.
import { withCode } from "./texts.js";

export const VCF_LIKE = /\.g?(vcf|bcf)(\.\w+)?$/i;
const OPTIONS = ["assembly", "annotate", "pgx", "reference_sites_listed", "split_by_sample", "credential", "reference", "engine", "caller", "alignment_format", "sex_chromosomes"];
/** Characters that calls made elsewhere may have: they are an option of the job. */
const MOST_OUTSIDE = 16384;
const OUTSIDE_WRONG = {
  status: 422,
  code: "request_invalid",
  title: "The outside calls cannot be read",
  detail: "The file that was chosen with them is no small text file.",
  resolution: ["Choose another file of outside calls, or none."],
};
/** States in which nothing is under way, and the options can be changed. */
export const AT_REST = new Set(["chosen", "refused", "failed"]);

let made = 0;

export class Entry {
  /** `kind` is "file", "url" or "manifest", `label` what it is called; `changed` is called whenever the state is another. */
  constructor(kind, label, changed, template = "upload-file-template") {
    this.kind = kind;
    this.label = label;
    this.state = "chosen";
    this.ready = Promise.resolve();
    this.element = document.getElementById(template).content.firstElementChild.cloneNode(true);
    this.element.dataset.kind = kind;
    this._changed = changed;
    this.number = ++made;
    this.find(".upload-file-name").textContent = label;
    this.find("[data-error]").id = `upload-error-${this.number}`;
    this.find("[data-group]").setAttribute("aria-describedby", `upload-error-${this.number}`);
    this._watchName();
    this._watchPgx();
  }

  /** A missing name is told until something is written. A manifest has no field for it: its lines have names. */
  _watchName() {
    this._nameError = this.find("[data-name-error]");
    if (this._nameError === null) return;
    this._nameError.id = `upload-name-error-${this.number}`;
    this.field("sample_name").addEventListener("input", () => this._markName(false));
  }

  /** What else PGx asks is shown once it is chosen; calls made elsewhere are read at once, to tell whether they can be. */
  _watchPgx() {
    this._outside = "";
    this._outsideWrong = false;
    this._pgxBox = this.find("[data-pgx]");
    if (this._pgxBox === null) return;
    this.field("pgx").addEventListener("change", () => this._showPgx());
    const file = this.field("outside_calls");
    const told = this.find("[data-outside-error]");
    told.id = `upload-outside-error-${this.number}`;
    file.setAttribute("aria-describedby", told.id);
    file.addEventListener("change", () => this._readOutside());
  }

  async _readOutside() {
    const [file, told] = [this.field("outside_calls"), this.find("[data-outside-error]")];
    const chosen = file.files[0];
    const text = chosen && chosen.size <= 4 * MOST_OUTSIDE ? await chosen.text().catch(() => "") : "";
    if (chosen !== file.files[0]) return; // another was chosen meanwhile
    const wrong = Boolean(chosen) && (text.length > MOST_OUTSIDE || text.trim() === "");
    told.textContent = wrong ? "This is no small text file with calls." : "";
    told.hidden = !wrong;
    file.setAttribute("aria-invalid", String(wrong));
    this._outside = wrong ? "" : text;
    this._outsideWrong = wrong;
  }

  /**
   * Why it cannot be sent; null: it can. What was chosen with it is read before, and anew, since the file may be another by
   * now: no job goes without its calls in silence.
   */
  async _unreadable() {
    if (!this.field("pgx")?.checked) return null;
    if (this.field("outside_calls").files.length) await this._readOutside();
    return this._outsideWrong ? OUTSIDE_WRONG : null;
  }

  _showPgx() {
    if (this._pgxBox !== null) this._pgxBox.hidden = !this.field("pgx").checked;
  }

  get _pgxOptions() {
    if (this._pgxBox === null || !this.field("pgx").checked) return {};
    return { reference_sites_listed: this.field("reference_sites_listed").checked, outside_calls: this._outside };
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  field(name) {
    return this.find(`[name=${name}]`);
  }

  /** How many jobs would come of it. */
  get count() {
    return 1;
  }

  /** What is written in first. */
  get mainField() {
    return this.field("sample_name");
  }

  get isActive() {
    return ["sending", "reconnecting", "waiting"].includes(this.state);
  }

  get canBeSent() {
    return this.state === "chosen" || this.state === "failed";
  }

  get options() {
    return {
      sample_name: this.field("sample_name").value.trim(),
      assembly: this.field("assembly").value,
      annotate: this.field("annotate").value,
      pgx: this.field("pgx").checked,
      split_by_sample: this.field("split_by_sample").checked,
      ...this._pgxOptions,
    };
  }

  /** What is sent of the options: none that says nothing, since an option of a later version would be refused. */
  _asked() {
    return Object.fromEntries(Object.entries(this.options).filter(([, value]) => value !== "" && value !== "none" && value !== false));
  }

  /** Take over options; those that are not named, or not offered here, stay. */
  set options(given) {
    for (const name of OPTIONS.filter((one) => one in given)) {
      const field = this.field(name);
      if (field === null) continue;
      const value = given[name] ?? "";
      if (field.type === "checkbox") field.checked = given[name] && !field.closest("[hidden]");
      else if ([...field.options].some((option) => option.value === value)) field.value = value;
      field.dataset.chosen = "true";
    }
    if (given.outside_calls) this._outside = given.outside_calls;
    this._showPgx();
  }

  /** Whether the name is there; the field is marked, and says so, if not. */
  checkName() {
    const missing = this.canBeSent && this.field("sample_name").value.trim() === "";
    this._markName(missing);
    return !missing;
  }

  _markName(missing) {
    const name = this.field("sample_name");
    name.setAttribute("aria-invalid", String(missing));
    if (missing) name.setAttribute("aria-describedby", this._nameError.id);
    else name.removeAttribute("aria-describedby");
    this._nameError.hidden = !missing;
  }

  /** It is taken out of the list. What the server has of it stays, and can be gone on with or discarded. */
  leave() {
    this.state = "cancelled";
  }

  wait() {
    this._set("waiting");
    this._status("Waiting for those before it");
  }

  _set(state) {
    this.state = state;
    this.element.dataset.state = state;
    for (const field of this.element.querySelectorAll(".upload-options :is(input, select)")) {
      field.disabled = field.dataset.unavailable === "true" || !AT_REST.has(state);
    }
    if (["sending", "waiting", "sent"].includes(state)) this.find("[data-error]").hidden = true;
    this._labelButtons();
    this._changed(this);
  }

  _labelButtons() {
    const resumes = this.state === "paused";
    const pause = this.find("[data-pause]");
    pause.hidden = !(resumes || (this.isActive && this.kind === "file"));
    pause.dataset.resumes = String(resumes);
    pause.title = resumes ? "Resume" : "Pause";
    pause.setAttribute("aria-label", `${pause.title} ${this.label}`);
    const remove = this.find("[data-remove]");
    remove.hidden = this.state === "sent";
    remove.title = this.isActive || resumes ? "Cancel" : "Remove";
    remove.setAttribute("aria-label", `${remove.title} ${this.label}`);
  }

  _status(text, pace = "") {
    this.find("[data-status]").textContent = text;
    this.find("[data-pace]").textContent = pace;
  }

  _showError({ title, detail, line, excerpt, resolution }) {
    this.find("[data-error-title]").textContent = `${title}.`;
    const where = line && !detail?.includes(`${line}`) ? `Line ${line.toLocaleString("en")}: ` : "";
    withCode(this.find("[data-error-text]"), where + (detail ?? ""));
    this.find("[data-error-excerpt]").textContent = excerpt ?? "";
    this.find("[data-error-excerpt]").hidden = !excerpt;
    const steps = (resolution ?? []).map((step) => withCode(document.createElement("li"), step));
    this.find("[data-error-steps]").replaceChildren(...steps);
    this.find("[data-error]").hidden = false;
  }
}
