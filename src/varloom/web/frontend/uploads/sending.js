// Sends one file over several requests (tus), so that it goes on after a broken line, a reload or a restart of the server.
import { begin, cancelUpload, changeUpload, getUpload, randomKey, refusal, uploadAddress } from "./api.js";
import { alone, forget, remember, remembered } from "./memory.js";

const PORTION = 16 << 20; // so often the server says what it has for good; it answers in between, too
const DELAYS = [0, 500, 1000, 2000, 4000, 8000, ...Array(60).fill(10_000)];
const WINDOW = 5_000; // the rate is that of the last seconds
const LOOK_EVERY = 700;
const LOOK_AGAIN = 3_000;

/**
 * An upload of a file. `on` is told of:
 * - `progress({sent, total, rate})`
 * - `standing(upload)`: what the server knows of it, as long as it changes
 * - `reconnecting()`: the line broke; it is tried again by itself
 */
export class Sending {
  /** `member` tells of which set the file is, where several become one job; a file that is alone has none. */
  constructor(file, on, member = null) {
    this.file = file;
    this.on = on;
    this._member = member;
    this.id = null;
    this._key = randomKey();
    this._upload = null;
    this._marks = [];
    this._end = null;
    this._goOn = () => this._restart();
  }

  /** The upload of this very file that broke off earlier, if the server still has it. */
  async findEarlier() {
    const id = remembered(this.file);
    if (!id) return null;
    const { body, error } = await getUpload(id);
    if (body && body.bytes === this.file.size && !body.error && !body.job) {
      this.id = id;
      return body;
    }
    if (body || error.status === 404) forget(id);
    return null;
  }

  /**
   * Send it, from where it stands: resolves to {job}, {error}, or {stopped: true} after `pause` or `cancel`; a file of a
   * set of which others are missing to {arrived: true}.
   */
  async send(options) {
    this._stopped = false;
    const ready = this.id ? await changeUpload(this.id, options) : await this._begin(options);
    if (ready.error) {
      if (ready.error.status === 404) this.lose();
      return { error: ready.error };
    }
    const outcome = this._stopped ? { stopped: true } : ((await alone(this.id, () => this._run())) ?? { error: ELSEWHERE });
    if (outcome.stopped) return outcome;
    const { body, error } = await getUpload(this.id);
    if (body?.job) {
      forget(this.id);
      return { job: body.job };
    }
    if (this._member && body && !body.error && body.offset === body.bytes) return { arrived: true };
    if (!body?.error) return { error: outcome.error ?? error };
    this.lose();
    return { error: { ...told(body.error), refused: true } };
  }

  async _begin(options) {
    const begun = await begin(this.file, { ...options, ...this._member?.() }, this._key);
    if (begun.error) return begun;
    this.id = begun.id;
    remember(this.file, this.id);
    return {};
  }

  async _run() {
    const { Upload } = await import("tus-js-client");
    const outcome = new Promise((resolve) => (this._end = resolve));
    this._marks = [];
    this._upload = new Upload(this.file, {
      uploadUrl: uploadAddress(this.id),
      chunkSize: PORTION,
      retryDelays: DELAYS,
      storeFingerprintForResuming: false,
      onProgress: (sent, total) => this.on.progress({ sent, total, rate: this._rate(sent) }),
      onShouldRetry: (error) => this._shouldRetry(error),
      onSuccess: () => this._end({}),
      onError: (error) => this._failed(error),
    });
    this._upload.start();
    window.addEventListener("online", this._goOn);
    const looking = this._look();
    const result = await outcome;
    window.removeEventListener("online", this._goOn);
    clearTimeout(looking.timer);
    return result;
  }

  /** Stop sending; what has come stays where it is. */
  async pause() {
    this._stopped = true;
    await this._upload?.abort();
    this._end?.({ stopped: true });
  }

  /** Stop sending, and let the server forget it. */
  async cancel() {
    await this.pause();
    if (!this.id) return;
    forget(this.id);
    await cancelUpload(this.id);
    this.id = null;
  }

  change(options) {
    return changeUpload(this.id, options);
  }

  _shouldRetry(error) {
    const status = error.originalResponse?.getStatus() ?? 0;
    const again = status === 0 || status === 409 || status === 423 || status >= 500;
    if (again && status !== 507) this.on.reconnecting();
    return again && status !== 507;
  }

  async _restart() {
    await this._upload.abort();
    this._upload.start();
  }

  _failed(error) {
    const answer = error.originalResponse;
    if (!answer) return this._end({ error: LOST });
    if (answer.getStatus() === 404) this.lose();
    this._end({ error: refusal(answer.getStatus(), answer.getBody()) });
  }

  /** Begin anew the next time: the server has no use for what it had of it. */
  lose() {
    if (this.id) forget(this.id);
    this.id = null;
    this._key = randomKey();
  }

  // The server looks at the beginning as it arrives. What it finds is shown, and ends the upload if it refuses the file.
  _look() {
    const looking = { timer: null };
    const look = async () => {
      const { body } = await getUpload(this.id);
      if (body) this.on.standing(body);
      if (body?.error) {
        await this._upload.abort();
        this._end({ error: LOST }); // what the upload says itself is told instead
      } else if (!body?.preflight) looking.timer = setTimeout(look, body ? LOOK_EVERY : LOOK_AGAIN);
    };
    looking.timer = setTimeout(look, LOOK_EVERY);
    return looking;
  }

  _rate(sent) {
    const now = performance.now();
    this._marks = [...this._marks.filter((mark) => now - mark.at < WINDOW && mark.sent <= sent), { at: now, sent }];
    const first = this._marks[0];
    return now - first.at > 500 ? ((sent - first.sent) * 1000) / (now - first.at) : 0;
  }
}

const ELSEWHERE = {
  title: "Another tab is sending this file",
  detail: "",
  resolution: ["Let it finish there, or pause it there and resume here."],
};
const LOST = {
  title: "The connection was lost",
  detail: "What has arrived is kept.",
  resolution: ["Check that the server runs and that this machine is connected, then resume."],
};

// An upload's `error` is that of a JOB, whose text is called `message`.
function told({ message, ...error }) {
  return { ...error, detail: message };
}
