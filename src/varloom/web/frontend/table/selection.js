// Rows that are chosen, to be annotated together.
import { fetchJson } from "./api.js";
import { startAnnotatedRows } from "./annotated_rows.js";
import { asked } from "./query.js";
import { say } from "./saying.js";

const MOST = 100; // rows at once: more are a file
const thousands = new Intl.NumberFormat("en-US");

/** Sets `table.selection` where rows can be annotated: their assembly is known, and there is reference data. */
export function startSelection(table) {
  const bar = document.getElementById("selection-bar");
  const names = new Set(table.columns.map(({ name }) => name));
  const hasVariants = ["contig", "position", "ref", "alt"].every((name) => names.has(name));
  // Structural variants are not annotated on demand.
  if (!bar || names.has("sv.type") || !hasVariants || !table.root.dataset.assembly) return;
  const chosen = new Set(); // by rowno
  let last = null; // the index of the row that was chosen last
  const [text, annotate, clear] = ["[data-chosen]", "[data-annotate-chosen]", "[data-clear]"].map((one) => bar.querySelector(one));
  const show = startAnnotatedRows(table);

  table.selection = {
    boxOf(row, index) {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.tabIndex = -1;
      box.disabled = !row;
      if (!row) return box;
      box.dataset.rowno = row.rowno;
      box.checked = chosen.has(row.rowno);
      box.setAttribute("aria-label", `Select row ${thousands.format(index + 1)}`);
      box.addEventListener("click", (event) => {
        toggle(row, index, event.shiftKey);
        box.checked = chosen.has(row.rowno);
      });
      return box;
    },
    toggle,
  };
  clear.addEventListener("click", () => {
    chosen.clear();
    draw();
    table.root.querySelector('[role="grid"]')?.focus();
    say("No row is selected");
  });
  annotate.addEventListener("click", async () => {
    annotate.disabled = true;
    annotate.setAttribute("aria-busy", "true");
    try {
      await show(await rowsOf([...chosen].sort((one, other) => one - other)));
    } catch (error) {
      table.root.dispatchEvent(new CustomEvent("refused", { detail: error }));
    } finally {
      annotate.disabled = chosen.size > MOST;
      annotate.removeAttribute("aria-busy");
    }
  });

  // With Shift the rows since the one that was chosen last go with it, as far as they are loaded.
  function toggle(row, index, isRange) {
    const wanted = !chosen.has(row.rowno);
    const from = isRange && last !== null ? last : index;
    for (let at = Math.min(from, index); at <= Math.max(from, index); at += 1) {
      const other = at === index ? row : table.loadedRow(at);
      if (other) chosen[wanted ? "add" : "delete"](other.rowno);
    }
    last = index;
    draw();
    say(`${counted(chosen.size)} selected`);
  }

  function draw() {
    for (const box of table.root.querySelectorAll("input[data-rowno]")) box.checked = chosen.has(Number(box.dataset.rowno));
    bar.hidden = chosen.size === 0;
    annotate.disabled = chosen.size > MOST;
    text.textContent = chosen.size > MOST ? `${counted(chosen.size)} selected; at most ${MOST} can be annotated at once` : `${counted(chosen.size)} selected`;
  }

  async function rowsOf(numbers) {
    const content = { ...asked(table.query), filter: `rowno IN (${numbers.join(", ")})`, columns: "contig,position,ref,alt", limit: MOST };
    return (await fetchJson(`${table.base}/rows`, content)).rows;
  }
}

function counted(number) {
  return number === 1 ? "1 row" : `${thousands.format(number)} rows`;
}
