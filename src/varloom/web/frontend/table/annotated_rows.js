// What is known of several rows by the reference data that is installed now, in a dialog: to be copied or kept as a file.
import { fetchJson } from "./api.js";
import { copyText } from "./copying.js";
import { say } from "./saying.js";

const BASES = /^[ACGTN]+$/i;
const NO_BASES = "Only alleles of bases are annotated on demand.";

/** What shows the annotation of rows: (rows) => promise; it fails as the request does. */
export function startAnnotatedRows(table) {
  const dialog = document.getElementById("annotated-dialog");
  let shown = null;
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.querySelector("[data-copy]").addEventListener("click", () => copyText(tsvOf(shown), "The table"));
  dialog.querySelector("[data-tsv]").addEventListener("click", () => save("annotated.tsv", "text/tab-separated-values", `${tsvOf(shown)}\n`));
  dialog.querySelector("[data-json]").addEventListener("click", () => save("annotated.json", "application/json", `${JSON.stringify(shown.found, null, 1)}\n`));

  return async (rows) => {
    const usable = rows.filter(({ ref, alt }) => BASES.test(ref ?? "") && BASES.test(alt ?? ""));
    const texts = usable.map(textOf);
    const content = { variants: texts, assembly: table.root.dataset.assembly };
    const found = texts.length
      ? await fetchJson("/api/v1/annotate", {}, undefined, { method: "POST", content })
      : { variants: [], releases: [], assembly: content.assembly };
    const answers = new Map(texts.map((text, place) => [text, found.variants[place]]));
    shown = { found, names: namesOf(found.variants), rows: rows.map((row) => ({ text: textOf(row), answer: answers.get(textOf(row)) })) };
    draw(dialog, shown);
    dialog.showModal();
    say(`${rows.length === 1 ? "1 row" : `${rows.length} rows`} annotated`);
  };
}

function textOf({ contig, position, ref, alt }) {
  return `${contig}:${position}:${ref}:${alt ?? "."}`;
}

// The columns that any of them has a value in, in the order of the sources.
function namesOf(variants) {
  const names = new Map();
  for (const { annotation } of variants) {
    for (const [name, value] of Object.entries(annotation)) names.set(name, names.get(name) || value !== null);
  }
  return [...names].filter(([, isThere]) => isThere).map(([name]) => name);
}

function noteOf({ answer }) {
  if (!answer) return NO_BASES;
  const silent = Object.entries(answer.not_annotated).map(([source, why]) => `${source}: ${why}`);
  return [answer.error?.message, ...silent].filter(Boolean).join(" ");
}

function draw(dialog, { found, names, rows }) {
  const used = found.releases.map(({ name, release }) => `${name} ${release}`).join(", ");
  const isMade = found.variants.some(({ synthetic }) => synthetic);
  dialog.querySelector("[data-used]").textContent = used ? `By ${used}, on ${found.assembly}.` : NO_BASES;
  dialog.querySelector("[data-made]").hidden = !isMade;
  const hasNotes = rows.some(noteOf);
  const heads = ["variant", ...names, ...(hasNotes ? ["note"] : [])];
  dialog.querySelector("thead tr").replaceChildren(...heads.map(head));
  dialog.querySelector("tbody").replaceChildren(
    ...rows.map((row) => {
      const line = document.createElement("tr");
      const first = document.createElement("th");
      first.scope = "row";
      first.className = "mono";
      first.textContent = row.text;
      const cells = names.map((name) => cell(shortOf(row.answer?.annotation[name])));
      line.append(first, ...cells, ...(hasNotes ? [cell(noteOf(row) || null)] : []));
      return line;
    }),
  );
  dialog.querySelector(".entries-scroll").scrollTo(0, 0);
}

function head(name) {
  const element = document.createElement("th");
  element.scope = "col";
  element.textContent = name;
  return element;
}

function cell(text) {
  const element = document.createElement("td");
  element.textContent = text ?? "\u00b7";
  if (text === null) element.className = "cell-missing";
  return element;
}

// A value in the dialog: of entries only how many there are; the files have all of them.
function shortOf(value) {
  if (value === null || value === undefined) return null;
  if (!Array.isArray(value)) return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
  if (value.some((item) => item && typeof item === "object")) return value.length === 1 ? "1 entry" : `${value.length} entries`;
  return value.join(", ");
}

function tsvOf({ names, rows }) {
  const lines = rows.map((row) => [row.text, ...names.map((name) => wholeOf(row.answer?.annotation[name])), noteOf(row)]);
  return [["variant", ...names, "note"], ...lines].map((cells) => cells.map(plain).join("\t")).join("\n");
}

function wholeOf(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// In a cell of such a file there is no place for what ends it; and as in all our exports, what a spreadsheet would run as
// a formula gets an apostrophe in front, but for numbers.
function plain(text) {
  const line = text.replaceAll(/[\t\r\n]/g, " ");
  return /^'*[=+\-@]/.test(line) && Number.isNaN(Number(line)) ? `'${line}` : line;
}

function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
