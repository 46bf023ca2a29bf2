// One URL in the upload dialog: which credential opens it, and how its job was taken in. Its secret parts are not shown.
import { say } from "../announcer.js";
import { createJob } from "./api.js";
import { AT_REST, VCF_LIKE } from "./entry.js";
import { HandedOver } from "./handed_over.js";
import { lanesOf, readsOptions, sampleOf, showReads } from "./reads.js";
import { countText, queueText } from "./texts.js";

const nameOf = (one) => one.found.name;

export class UrlRow extends HandedOver {
  /**
   * `some` are the URL and what the server told of it, or those of one sample's reads; `stored` is how many credentials
   * the account has.
   */
  constructor(some, stored, presetName, changed, reads = false) {
    const ordered = reads ? lanesOf(some, nameOf).flatMap((lane) => lane.items) : some;
    const [{ url, found }] = ordered;
    super("url", ordered.length > 1 ? `${sampleOf(found.name)}: ${countText(ordered.length, "file")}` : found.name, changed);
    this.url = url;
    this.urls = ordered.map((one) => one.url);
    this._reads = reads;
    this._fill(found, presetName);
    this.offer(found, stored);
    const refusal = reads ? showReads(this, ordered, nameOf) : null;
    this._set("chosen");
    if (refusal === null) return;
    this._showError(refusal);
    this._set("refused");
  }

  get options() {
    const asked = { ...super.options, credential: this.field("credential").value };
    return this._reads ? { ...asked, assembly: "", split_by_sample: false, ...readsOptions(this) } : asked;
  }

  set options(given) {
    super.options = given;
  }

  get _subject() {
    return this.url;
  }

  /** The credentials that may be sent for this URL. The chosen one stays, if it is still among them. */
  offer({ credentials, has_access: hasAccess }, stored) {
    const field = this.field("credential");
    const chosen = field.value;
    const none = new Option("None", "");
    field.replaceChildren(none, ...credentials.map((name) => new Option(name, name)));
    field.value = credentials.includes(chosen) ? chosen : "";
    field.dataset.unavailable = String(credentials.length === 0);
    field.disabled = credentials.length === 0 || !AT_REST.has(this.state);
    this.find("[data-credential-hint]").textContent = hintText(credentials, hasAccess, stored);
    this.find("[data-credential-page]").hidden = hasAccess;
  }

  get credentials() {
    return [...this.field("credential").options].map(({ value }) => value).filter(Boolean);
  }

  _fill(found, presetName) {
    this.find("[data-size]").hidden = true;
    this.find("[data-group]").setAttribute("aria-label", found.url);
    this.find("progress").hidden = true;
    this.find("[data-facts]").textContent = found.url;
    this.field("sample_name").value = presetName ?? found.sample_name;
    this.find("[data-split]").hidden = !VCF_LIKE.test(found.name);
    this.find("[data-credential]").hidden = false;
    const field = this.field("credential");
    field.id = `upload-credential-${this.number}`;
    this.find("[data-credential] label").htmlFor = field.id;
    this.find("[data-credential-note]").id = `${field.id}-note`;
    field.setAttribute("aria-describedby", `${field.id}-note`);
  }

  _create(key) {
    return createJob(this.urls, this._asked(), key);
  }

  _sent(job) {
    this._set("sent");
    this._status(`Handed over. ${queueText(job)}`.trim());
    say(`${this.label} handed over`, { of: this.url, kind: "handed over" });
  }

  get _unsureText() {
    return "It may have this URL already. Trying again makes no second job.";
  }
}

function hintText(credentials, hasAccess, stored) {
  if (hasAccess) return "The URL carries a signature or password of its own.";
  if (credentials.length) return "For a file that is not public.";
  return stored ? "None of those that are stored is for this URL." : "None is stored.";
}
