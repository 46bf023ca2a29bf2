// Full or split: a row for each structural variant, or one for each gene that it overlaps.
import { fetchJson } from "./api.js";
import { asked, sortOrder, sortText } from "./query.js";

const thousands = new Intl.NumberFormat("en-US");

const ENTRIES = "sv.gene_entries"; // of the full view; the split view has these instead
const OF_GENES = [
  "sv.gene", "sv.gene_id", "sv.gene_biotype", "sv.gene_extent", "sv.gene_part", "sv.gene_exons",
  "sv.gene_junctions", "sv.gene_hi_score", "sv.gene_ts_score", "sv.full_row",
];

export function startViewSwitch({ root, base, query }) {
  const group = document.getElementById("view-switch");
  group.hidden = false;
  const now = query.state.view || "full";
  for (const button of group.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === now));
    button.addEventListener("click", () => button.dataset.view !== now && go(button.dataset.view));
  }
  if (now === "split") tellLeftOut(root, base, query).catch(() => {}); // the table is right without it

  function go(view) {
    const { filters, sort, columns, pinned } = query.state;
    const isSplit = view === "split";
    const gone = isSplit ? [ENTRIES] : OF_GENES;
    query.change({
      view: isSplit ? "split" : "",
      filters: filters.filter((text) => !gone.some((name) => names(text, name))),
      sort: sortText(sortOrder(sort).filter(({ name }) => !gone.includes(name))),
      columns: columns && replaced(columns, isSplit),
      pinned: pinned && pinned.filter((name) => !gone.includes(name)),
      page: 0,
    });
  }
}

// How many variants have a row here at all: those that overlap no gene have none.
async function tellLeftOut(root, base, query) {
  const { distinct } = await fetchJson(`${base}/facets/sv.full_row`, { ...asked(query), limit: 1 });
  const note = document.getElementById("view-note");
  note.textContent = `${thousands.format(distinct)} of ${thousands.format(root.dataset.variants)} variants overlap a gene`;
  note.hidden = false;
}

// Whether a filter speaks of a column: of `sv.gene` and not of `sv.gene_count`.
function names(text, name) {
  const plain = text.replace(/'(?:[^']|'')*'/g, "''");
  return new RegExp(`(?<![\\w.])${name.replaceAll(".", "\\.")}(?![\\w.])`, "i").test(plain);
}

// Chosen columns stay; those of the genes stand where the entries stood.
function replaced(columns, isSplit) {
  if (isSplit) return columns.flatMap((name) => (name === ENTRIES ? OF_GENES.slice(0, 6) : [name]));
  const first = columns.findIndex((name) => OF_GENES.includes(name));
  return columns.flatMap((name, place) => (OF_GENES.includes(name) ? (place === first ? [ENTRIES] : []) : [name]));
}
