// Text for the clipboard, also where the page came without encryption and the browser's clipboard is out of reach.
import { say } from "./saying.js";

export async function copyText(text, said) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyByHand(text);
    say(`${said} copied.`);
  } catch {
    say(`The browser did not let ${said.toLowerCase()} be copied.`);
  }
}

function copyByHand(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus();
  if (!done) throw new Error("not copied");
}
