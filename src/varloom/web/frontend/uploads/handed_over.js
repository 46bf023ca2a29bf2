// An entry that is handed to the server in one request, as URLs and manifests are. When the line breaks it is tried again
// under the same key: no second job comes of it.
import { say } from "../announcer.js";
import { randomKey } from "./api.js";
import { Entry } from "./entry.js";

const DELAYS = [500, 1000, 2000, 4000, 8000, ...Array(5).fill(10_000)];
const GATEWAYS = new Set([502, 503, 504]);

export class HandedOver extends Entry {
  constructor(kind, label, changed, template) {
    super(kind, label, changed, template);
    this._key = randomKey();
  }

  get uploadId() {
    return null;
  }

  /** What is spoken of: a later word on it takes the place of an earlier one. */
  get _subject() {
    return this.label;
  }

  /** Hand it to the server. */
  async send() {
    this._set("sending");
    this._status("Handing it to the server");
    const unreadable = await this._unreadable();
    if (this.state === "cancelled") return;
    if (unreadable) return this._fail(unreadable);
    const { body, error } = await this._persist(() => this._create(this._key));
    if (this.state === "cancelled") return;
    if (error) this._fail(error);
    else this._sent(body);
  }

  async cancel() {
    this.state = "cancelled";
    this._wake?.();
  }

  async _persist(create) {
    for (let tried = 0; ; tried += 1) {
      const answer = await create();
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
    say(`${this.label}: the connection broke, trying again`, { of: this._subject });
  }

  // Where nobody knows whether the server has it, the options stay as they were sent until it is asked again.
  _fail(error) {
    const unsure = isUnsure(error);
    this._showError(unsure ? { ...error, detail: this._unsureText } : error);
    this._set(unsure ? "paused" : "failed");
    this._status("");
    say(`${this.label} was not taken: ${error.title}`, { of: this._subject, kind: "not taken" });
  }
}

const isUnsure = (error) => Boolean(error) && (!error.status || GATEWAYS.has(error.status));
