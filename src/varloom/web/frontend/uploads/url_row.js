// One URL in the upload dialog: which credential opens it, and how its job was taken in. Its secret parts are not shown.
import { say } from "../announcer.js";
import { createJob, randomKey } from "./api.js";
import { AT_REST, Entry, VCF_LIKE } from "./entry.js";
import { queueText } from "./texts.js";

const DELAYS = [500, 1000, 2000, 4000, 8000, ...Array(5).fill(10_000)];
const GATEWAYS = new Set([502, 503, 504]);

export class UrlRow extends Entry {
  /** `found` is what the server told of the URL, `stored` how many credentials the account has. */
  constructor(url, found, stored, presetName, changed) {
    super("url", found.name, changed);
    this.url = url;
    this._key = randomKey();
    this._fill(found, presetName);
    this.offer(found, stored);
    this._set("chosen");
  }

  get options() {
    return { ...super.options, credential: this.field("credential").value };
  }

  set options(given) {
    super.options = given;
  }

  get uploadId() {
    return null;
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

  /** Hand the URL to the server. When the line breaks, it is tried again under the same key: no second job comes of it. */
  async send() {
    this._set("sending");
    this._status("Handing it to the server");
    const { body, error } = await this._create();
    if (this.state === "cancelled") return;
    if (error) this._fail(error);
    else this._sent(body);
  }

  async cancel() {
    this.state = "cancelled";
    this._wake?.();
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

  async _create() {
    for (let tried = 0; ; tried += 1) {
      const answer = await createJob(this.url, this._asked(), this._key);
      if (!isUnsure(answer.error) || tried === DELAYS.length || this.state === "cancelled") return answer;
      this._reconnect();
      await new Promise((resolve) => {
        this._wake = resolve;
        setTimeout(resolve, DELAYS[tried]);
      });
      if (this.state === "cancelled") return answer;
    }
  }

  _reconnect() {
    if (this.state === "reconnecting") return;
    this._set("reconnecting");
    this._status("The connection broke. Trying again");
    say(`${this.label}: the connection broke, trying again`, { of: this.url });
  }

  _sent(job) {
    this._set("sent");
    this._status(`Handed over. ${queueText(job)}`.trim());
    say(`${this.label} handed over`, { of: this.url, kind: "handed over" });
  }

  // Where nobody knows whether the server has it, the options stay as they were sent until it is asked again.
  _fail(error) {
    const unsure = isUnsure(error);
    this._showError(unsure ? { ...error, detail: "It may have this URL already. Trying again makes no second job." } : error);
    this._set(unsure ? "paused" : "failed");
    this._status("");
    say(`${this.label} was not taken: ${error.title}`, { of: this.url, kind: "not taken" });
  }
}

const isUnsure = (error) => Boolean(error) && (!error.status || GATEWAYS.has(error.status));

function hintText(credentials, hasAccess, stored) {
  if (hasAccess) return "The URL carries a signature or password of its own.";
  if (credentials.length) return "For a file that is not public.";
  return stored ? "None of those that are stored is for this URL." : "None is stored.";
}
