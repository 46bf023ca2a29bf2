// The field of the upload dialog into which URLs are written, one a line. Lines that are none are told with their number.
import { say } from "../announcer.js";
import { lookAtUrls } from "./api.js";
import { countText } from "./texts.js";

const MOMENT = 300; // after the last key
const MOST_TOLD = 5;
const MOST_AT_ONCE = 500;

export class UrlField {
  /** `listed` tells the URLs in the list; `take` is given [{url, found}] and how many credentials are stored. */
  constructor({ listed, take }) {
    this._field = document.getElementById("upload-urls");
    this._problems = document.getElementById("upload-urls-problems");
    this._listed = listed;
    this._take = take;
    this._known = new Map(); // what the server told of each text; asked anew when it goes into the list
    this._asked = 0;
    this._field.addEventListener("input", ({ inputType }) => this._later(inputType));
    this._field.addEventListener("blur", () => this._soon()); // not at once: a button that is being pressed must not move
    this._field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.add();
    });
    document.getElementById("upload-urls-add").addEventListener("click", () => this.add());
  }

  get isEmpty() {
    return this._lines().length === 0;
  }

  /** Tell which lines are no URLs. A line that is still being written is left alone. */
  async check(butLine = null) {
    clearTimeout(this._timer);
    if (this._field.readOnly) return;
    const asked = ++this._asked;
    const lines = this._lines().filter(({ number }) => number !== butLine);
    const { error } = await this._look(lines.filter(({ text }) => !this._known.has(text)));
    if (asked === this._asked) this._tell(error ? [{ message: sentence(error) }] : this._judge(lines).wrong);
  }

  /** Put the good lines into the list. The others stay, and are told. */
  async add() {
    clearTimeout(this._timer);
    if (this._field.readOnly) return;
    this._asked += 1;
    const lines = this._lines();
    if (!lines.length) return this._complain("Give one URL or more, each in a line of its own.");
    this._field.readOnly = true; // what is written meanwhile would move the lines
    const { error, stored } = await this._look(lines);
    this._field.readOnly = false;
    if (error) return this._complain(sentence(error));
    const { good } = this._judge(lines);
    this._keepAllBut(good);
    this._take(good.map(({ text }) => ({ url: text, found: this._known.get(text) })), stored);
    const { wrong } = this._judge(this._lines());
    this._tell(wrong);
    if (good.length) say(`${countText(good.length, "URL")} added`, { of: "URLs" });
    if (wrong.length) this._field.focus();
    else this._field.closest("details").open = false; // the list needs the room
  }

  _complain(message) {
    this._tell([{ message }]);
    this._field.focus();
  }

  _later(inputType) {
    const pasted = inputType === "insertFromPaste" || inputType === "insertFromDrop";
    this._soon(pasted ? null : this._field.value.slice(0, this._field.selectionStart).split("\n").length);
  }

  _soon(butLine = null) {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this.check(butLine), MOMENT);
  }

  _lines() {
    const lines = this._field.value.split("\n").map((line, index) => ({ number: index + 1, text: line.trim() }));
    return lines.filter(({ text }) => text && !text.startsWith("#"));
  }

  async _look(lines) {
    if (!lines.length) return {};
    const texts = [...new Set(lines.map(({ text }) => text))];
    const { error, sources, stored } = await lookAtUrls(texts);
    if (error) return { error };
    texts.forEach((text, index) => this._known.set(text, sources[index]));
    return { stored };
  }

  /** Which lines can go into the list, and which cannot, with the reason. */
  _judge(lines) {
    const seen = new Map([...this._listed()].map((url) => [url, "It is in the list already."]));
    const good = [];
    const wrong = [];
    for (const { number, text } of lines) {
      const message = this._known.get(text)?.error?.message ?? seen.get(text);
      if (message) wrong.push({ number, message });
      else if (good.length === MOST_AT_ONCE) wrong.push({ number, message: `The list takes ${MOST_AT_ONCE} at a time; add it after them.` });
      else good.push({ number, text });
      if (!seen.has(text)) seen.set(text, `It is the same as line ${number}.`);
    }
    return { good, wrong };
  }

  _keepAllBut(good) {
    const gone = new Set(good.map(({ number }) => number));
    this._field.value = this._field.value
      .split("\n")
      .filter((_, index) => !gone.has(index + 1))
      .join("\n");
    if (this.isEmpty) this._field.value = "";
  }

  _tell(problems) {
    const items = problems.slice(0, MOST_TOLD).map((problem) => this._item(problem));
    const more = problems.length - items.length;
    if (more > 0) items.push(Object.assign(document.createElement("li"), { textContent: `and ${countText(more, "more line")}` }));
    const before = this._problems.textContent;
    this._problems.querySelector("ul").replaceChildren(...items);
    this._problems.hidden = items.length === 0;
    this._field.setAttribute("aria-invalid", String(items.length > 0));
    if (items.length) this._field.closest("details").open = true;
    if (items.length && this._problems.textContent !== before) say(spoken(problems), { of: "lines of URLs" });
  }

  _item({ number, message }) {
    const item = document.createElement("li");
    if (number) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "upload-line", textContent: `Line ${number}:` });
      button.addEventListener("click", () => this._select(number));
      item.append(button, " ");
    }
    item.append(message);
    return item;
  }

  _select(number) {
    const lines = this._field.value.split("\n");
    const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    this._field.focus();
    this._field.setSelectionRange(start, start + (lines[number - 1]?.length ?? 0));
  }
}

const sentence = ({ title, resolution = [] }) => [`${title}.`, ...resolution].join(" ");

function spoken(problems) {
  const [{ number, message }] = problems;
  const first = number ? `Line ${number}: ${message}` : message;
  return problems.length > 1 ? `${first} ${countText(problems.length - 1, "more line")} cannot be loaded` : first;
}
