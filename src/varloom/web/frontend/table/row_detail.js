// All that is known of one row, in a dialog: every field in its group, entries as tables, links, and copies.
import { fetchJson } from "./api.js";
import { textOf } from "./cells.js";
import { copyText } from "./copying.js";
import { drawEntries, holdsEntries } from "./entries.js";
import { grouped } from "./groups.js";
import { shortName } from "./header.js";
import { linksOf } from "./links.js";
import { asked } from "./query.js";
import { startReads } from "./reads.js";
import { startRowAnnotation } from "./row_annotation.js";

const thousands = new Intl.NumberFormat("en-US");

/** Sets `table.openRow(index, row)`: `index` counts the rows of the answer, `row` is what the grid knows of it. */
export function startRowDetail(table) {
  const dialog = document.getElementById("row-dialog");
  let shown = null;
  const canAnnotate = dialog.querySelector("[data-annotate]") !== null;
  const offerReads = dialog.querySelector("[data-show-reads]") ? startReads(table, dialog, () => shown?.row) : () => {};
  const beginAnnotation = canAnnotate ? startRowAnnotation(table, dialog, () => shown?.row) : () => {};
  table.openRow = async (index, row) => {
    if (!row) return;
    if (!dialog.open) dialog.showModal();
    shown = { index };
    dialog.querySelector("[data-refusal]").hidden = true;
    const body = dialog.querySelector(".row-body");
    body.setAttribute("aria-busy", "true");
    try {
      const { rows } = await fetchJson(`${table.base}/rows`, { ...asked(table.query), offset: row.rowno, limit: 1 });
      if (shown.index !== index) return;
      shown.row = rows[0];
      draw(table, dialog, rows[0]);
      beginAnnotation(rows[0]);
      offerReads(rows[0]);
      body.scrollTo(0, 0);
    } catch (error) {
      const refusal = dialog.querySelector("[data-refusal]");
      refusal.querySelector("div").textContent = error.message;
      refusal.hidden = false;
    }
    body.setAttribute("aria-busy", "false");
  };
  const step = (by) => {
    const next = table.rowAt(shown.index + by);
    if (next) table.openRow(shown.index + by, next);
  };
  dialog.querySelector("[data-previous]").addEventListener("click", () => step(-1));
  dialog.querySelector("[data-next]").addEventListener("click", () => step(1));
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => table.focusRow(shown.index));
  dialog.querySelector("[data-copy-variant]").addEventListener("click", () => copyText(variantOf(shown.row), "The variant"));
  dialog.querySelector("[data-copy-row]").addEventListener("click", () => copyText(linesOf(table, shown.row), "The row"));
}

function draw(table, dialog, row) {
  const isVariant = row.contig && row.ref !== undefined;
  document.getElementById("row-title").textContent = isVariant
    ? `${row.contig}:${thousands.format(row.position)} ${cut(row.ref)} > ${cut(row.alt ?? ".")}`
    : `Row ${thousands.format(row.rowno + 1)}`;
  dialog.querySelector("[data-copy-variant]").hidden = !isVariant;
  drawLinks(dialog, linksOf(row, table.root.dataset.assembly));
  const stored = table.columns.filter(({ virtual }) => !virtual);
  const ofAll = stored.filter(ofAllSamples);
  const unfolded = stored.filter(holdsEntries).filter(({ name }) => row[name]?.length);
  const fields = new Set(unfolded.map(({ field }) => field));
  // What is unfolded below need not stand here as the file has it.
  const single = stored.filter((column) => !ofAllSamples(column) && column.name !== `INFO.${fields.has(column.field) ? column.field : ""}`);
  const isOfSample = ({ key }) => key.startsWith("sample:");
  const [samples, others] = [grouped(single).filter(isOfSample), grouped(single).filter((group) => !isOfSample(group))];
  const draw = (group) => drawGroup(group, row);
  const all = ofAll.length ? [drawSamples(table, ofAll, row)] : [];
  const entries = unfolded.map((column) => drawEntriesOf(column, row));
  dialog.querySelector("[data-groups]").replaceChildren(...others.map(draw), ...entries, ...samples.map(draw), ...all);
}

function ofAllSamples({ origin, sample, list }) {
  return origin === "FORMAT" && !sample && list;
}

function drawLinks(dialog, links) {
  const list = dialog.querySelector("[data-links]");
  const template = document.getElementById("row-link-template").content.firstElementChild;
  list.replaceChildren(
    ...links.map(({ label, address }) => {
      const item = template.cloneNode(true);
      item.querySelector("a").href = address;
      item.querySelector("[data-name]").textContent = label;
      return item;
    }),
  );
  list.hidden = links.length === 0;
}

function drawGroup({ label, columns }, row) {
  const section = document.getElementById("row-group-template").content.firstElementChild.cloneNode(true);
  section.querySelector("h3").textContent = label;
  const plain = columns.filter((column) => !holdsEntries(column));
  const there = plain.filter(({ name }) => row[name] !== null && row[name] !== undefined);
  section.querySelector("dl").replaceChildren(...there.map((column) => fieldOf(column, row[column.name])));
  const missing = plain.filter((column) => !there.includes(column)).map(shortName);
  const note = section.querySelector("[data-missing]");
  note.hidden = missing.length === 0;
  note.textContent = `No value: ${missing.join(", ")}`;
  return section;
}

function fieldOf(column, value) {
  const field = document.createElement("div");
  const name = document.createElement("dt");
  name.textContent = shortName(column);
  if (column.description) name.title = column.description;
  const content = document.createElement("dd");
  content.textContent = value === "" ? "(empty text)" : textOf(column, value);
  field.append(name, content);
  return field;
}

function drawEntriesOf(column, row) {
  const section = document.getElementById("row-entries-template").content.firstElementChild.cloneNode(true);
  section.querySelector("h3").textContent = column.name;
  section.querySelector(".entries-scroll").setAttribute("aria-label", column.name);
  drawEntries(section.querySelector("table"), row[column.name]);
  return section;
}

function drawSamples(table, columns, row) {
  const names = [...new Set(table.columns.filter(({ virtual }) => virtual).map(({ sample }) => sample))];
  const section = document.getElementById("row-entries-template").content.firstElementChild.cloneNode(true);
  section.querySelector("h3").textContent = `${thousands.format(names.length)} samples`;
  section.querySelector(".entries-scroll").setAttribute("aria-label", "Samples");
  const entries = names.map((sample, place) => {
    const values = columns.map((column) => [column.name.replace(/^FORMAT\./, ""), cellText(row[column.name]?.[place])]);
    return { Sample: sample, ...Object.fromEntries(values) };
  });
  drawEntries(section.querySelector("table"), entries);
  return section;
}

function cellText(value) {
  if (value === null || value === undefined) return null;
  return Array.isArray(value) ? value.map((one) => one ?? "\u00b7").join(", ") : String(value);
}

function variantOf({ contig, position, ref, alt }) {
  return `${contig}-${position}-${ref}-${alt ?? "."}`;
}

function linesOf({ columns }, row) {
  const stored = columns.filter(({ virtual }) => !virtual);
  return stored.map((column) => `${column.name}\t${row[column.name] === null ? "" : plainText(row[column.name])}`).join("\n");
}

function plainText(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function cut(bases) {
  return bases.length > 24 ? `${bases.slice(0, 20)}\u2026 (${thousands.format(bases.length)})` : bases;
}
