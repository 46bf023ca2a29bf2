// What is known of the variant of one row by the reference data that is installed now, beside what the table has of it.
import { fetchJson } from "./api.js";
import { drawEntries } from "./entries.js";
import { say } from "../announcer.js";

const BASES = /^[ACGTN]+$/i;

/** Sets what the button of the row's dialog does; `current()` gives the row that is shown. */
export function startRowAnnotation(table, dialog, current) {
  const button = dialog.querySelector("[data-annotate]");
  const area = dialog.querySelector("[data-annotation]");
  const refusal = dialog.querySelector("[data-refusal]");
  button.addEventListener("click", async () => {
    const row = current();
    button.disabled = true;
    area.replaceChildren();
    refusal.hidden = true;
    try {
      const content = { variants: [`${row.contig}:${row.position}:${row.ref}:${row.alt}`], assembly: table.root.dataset.assembly };
      const found = await fetchJson("/api/v1/annotate", {}, undefined, { method: "POST", content });
      if (current() !== row) return;
      draw(area, found);
      say("Annotated");
      area.querySelector("h3")?.focus();
    } catch (error) {
      if (current() !== row) return;
      refusal.querySelector("div").textContent = error.message;
      refusal.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
  return (row) => {
    area.replaceChildren();
    // Which genome the positions are of is never guessed: without it there is nothing to ask.
    button.hidden = !table.root.dataset.assembly || !(BASES.test(row.ref ?? "") && BASES.test(row.alt ?? ""));
  };
}

function draw(area, { variants: [found], releases }) {
  const used = releases.map(({ name, release }) => `${name} ${release}`).join(", ");
  const made = found.synthetic ? ["Synthetic demonstration data: nothing of it is real."] : [];
  const notes = [...made, found.error?.message, ...Object.entries(found.not_annotated).map(([source, why]) => `${source}: ${why}`)];
  const values = Object.entries(found.annotation);
  const isList = ([, value]) => Array.isArray(value) && value.some((item) => item && typeof item === "object");
  const there = values.filter((entry) => entry[1] !== null && !isList(entry));
  const section = document.getElementById("row-group-template").content.firstElementChild.cloneNode(true);
  const heading = section.querySelector("h3");
  heading.textContent = `By what is installed now: ${used}`;
  heading.tabIndex = -1;
  section.querySelector("dl").replaceChildren(...there.map(([name, value]) => field(name, value)));
  const missing = values.filter(([, value]) => value === null).map(([name]) => name);
  const note = section.querySelector("[data-missing]");
  note.textContent = [...notes.filter(Boolean), missing.length ? `No value: ${missing.join(", ")}` : ""].filter(Boolean).join(" ");
  note.hidden = !note.textContent;
  area.replaceChildren(section, ...values.filter(isList).map(entries));
}

function field(name, value) {
  const item = document.createElement("div");
  const [label, content] = [document.createElement("dt"), document.createElement("dd")];
  label.textContent = name;
  content.textContent = typeof value === "boolean" ? (value ? "yes" : "no") : [value].flat().join(", ");
  item.append(label, content);
  return item;
}

function entries([name, value]) {
  const section = document.getElementById("row-entries-template").content.firstElementChild.cloneNode(true);
  section.querySelector("h3").textContent = name;
  section.querySelector(".entries-scroll").setAttribute("aria-label", name);
  drawEntries(section.querySelector("table"), value);
  return section;
}
