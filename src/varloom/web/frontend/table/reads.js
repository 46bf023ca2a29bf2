// The reads at the variant of a row, in a dialog. What draws them is large: it is loaded when it is asked for.
import { fetchJson } from "./api.js";

const KEYS = "Arrow keys move, + and - zoom.";
const thousands = new Intl.NumberFormat("en-US");

/** Sets what the button of the row's dialog does; `current()` gives the row that is shown. */
export function startReads(table, dialog, current) {
  const button = dialog.querySelector("[data-show-reads]");
  const reads = document.getElementById("reads-dialog");
  const [view, about] = [reads.querySelector("[data-view]"), reads.querySelector("[data-about]")];
  let opened = 0;
  let close = () => {};
  button.addEventListener("click", async () => {
    const row = current();
    if (!row) return; // it is on its way
    const turn = ++opened;
    document.getElementById("reads-title").textContent = `Reads at ${row.contig}:${thousands.format(row.position)}`;
    reads.querySelector("[data-refusal]").hidden = true;
    about.textContent = "Loading the reads ...";
    reads.showModal();
    view.setAttribute("aria-busy", "true");
    try {
      const [found, { drawReads }] = await Promise.all([fetchJson(`${table.base}/reads`, {}), import("./reads_view.js")]);
      if (turn !== opened) return;
      about.textContent = toldOf(found);
      const ended = await drawReads(view, table.base, found, row);
      if (turn === opened) close = ended;
      else ended();
    } catch (error) {
      if (turn === opened) refuse(reads, error);
    }
    if (turn === opened) view.setAttribute("aria-busy", "false");
  });
  reads.querySelector("[data-close]").addEventListener("click", () => reads.close());
  reads.addEventListener("close", () => {
    opened += 1;
    close();
    close = () => {};
    view.replaceChildren();
  });
  return (row) => {
    button.hidden = !row.contig || !row.position;
  };
}

function toldOf({ name, genome }) {
  return genome
    ? `${name}, aligned to ${genome.name} (${genome.assembly}). Bases that differ from it are coloured, and lettered from near. ${KEYS}`
    : `${name}. The genome that it was aligned to is not installed any more, so bases that differ cannot be told. ${KEYS}`;
}

function refuse(reads, error) {
  const refusal = reads.querySelector("[data-refusal]");
  const resolution = [error.problem?.resolution ?? []].flat();
  refusal.querySelector("div").textContent = [error.message, ...resolution].join(" ");
  refusal.hidden = false;
  reads.querySelector("[data-about]").textContent = "";
}
