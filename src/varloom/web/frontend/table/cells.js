// How values look in a cell. A missing value is a quiet dot: it is neither "null", nor empty text, nor zero.
import { entriesButton, holdsEntries } from "./entries.js";
import { kindOf } from "./expressions.js";

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 20 });

/** The cell renderer of a column: (params) => node. */
export function rendererOf(column) {
  return ({ value, data }) => {
    if (data === undefined) return waiting();
    if (value === null || value === undefined) return missing();
    if (holdsEntries(column)) return entriesButton(column, value, placeOf(data));
    return document.createTextNode(textOf(column, value));
  };
}

/** A value as text, as it is shown. */
export function textOf(column, value) {
  if (Array.isArray(value)) return value.map((item) => (item === null ? "\u00b7" : String(item))).join(", ");
  if (value !== null && typeof value === "object") return JSON.stringify(value);
  if (GROUPED.has(column.name) && typeof value === "number") return grouped.format(value);
  return kindOf(column) === "flag" ? (value ? "yes" : "no") : String(value);
}

/** Where the variant of a row is, if its position was asked for. */
function placeOf(row) {
  return row.contig && row.position ? `${row.contig}:${grouped.format(row.position)}` : "";
}

export function isNumber(column) {
  return kindOf(column) === "number";
}

// Only counted things are grouped by thousands: a file's own numbers are shown as they are.
const GROUPED = new Set(["position", "rowno", "record", "line"]);

function missing() {
  const dot = document.createElement("span");
  dot.className = "cell-missing";
  dot.title = "No value";
  dot.textContent = "\u00b7";
  return dot;
}

function waiting() {
  const bar = document.createElement("span");
  bar.className = "cell-waiting";
  return bar;
}
