// The groups that columns fall into: the variant itself, INFO, annotations, and one for each sample; for CSV and TSV, the
// file.
const UNFOLDED = /^(CSQ|ANN|BCSQ)$/; // INFO fields of annotators, of which the reader makes columns

export function groupOf(column) {
  if (column.origin === "INFO" && UNFOLDED.test(column.field ?? "")) {
    return { key: `annotation:${column.field}`, label: `Annotation ${column.field}`, prefix: `INFO.${column.field}.` };
  }
  if (column.origin === "INFO") return { key: "INFO", label: "INFO", prefix: "INFO." };
  if (column.origin === "FORMAT" && column.sample) {
    return { key: `sample:${column.sample}`, label: column.sample, prefix: `${column.sample}.` };
  }
  if (column.origin === "FORMAT") return { key: "FORMAT", label: "All samples", prefix: "" };
  if (column.origin === "file") return { key: "file", label: "File", prefix: "" };
  if (column.origin === "VCF" || column.origin === "varloom") return { key: "variant", label: "Variant", prefix: "" };
  return { key: `annotation:${column.field}`, label: `Annotation ${column.field}`, prefix: `${column.field}.` };
}

/** [{key, label, columns}], in the order in which the columns stand in the table. */
export function grouped(columns) {
  const groups = new Map();
  for (const column of columns) {
    const { key, label } = groupOf(column);
    if (!groups.has(key)) groups.set(key, { key, label, columns: [] });
    groups.get(key).columns.push(column);
  }
  return [...groups.values()];
}

// Where a row stood in the file is kept for every row, but rarely of interest.
const OUT_OF_SIGHT = new Set(["rowno", "record", "line", "allele"]);

const FIRST_OF_SPLIT = ["sv.gene", "sv.gene_extent", "sv.gene_part", "sv.gene_exons"];

// The names that are shown when the address says nothing: all but the bookkeeping, and what each of many samples has.
export function defaultColumns(columns) {
  const ofManySamples = ({ origin, sample, virtual }) => virtual || (origin === "FORMAT" && !sample);
  const shown = columns.filter((column) => !ofManySamples(column) && !OUT_OF_SIGHT.has(column.name)).map(({ name }) => name);
  // In the split view of structural variants the gene is what tells one row from the next.
  const genes = shown.filter((name) => FIRST_OF_SPLIT.includes(name));
  const [others, place] = [shown.filter((name) => !genes.includes(name)), shown.indexOf("position") + 1];
  return [...others.slice(0, place), ...genes, ...others.slice(place)];
}

const WIDE = window.matchMedia("(min-width: 60rem)");

// Where a variant is stays in sight, where there is room for it.
export function defaultPinned(columns) {
  const places = columns.filter(({ name, origin }) => origin === "VCF" && (name === "contig" || name === "position"));
  return WIDE.matches ? places.map(({ name }) => name) : [];
}

/** Call back when there is room for them that was not there before, or no more. */
export function whenRoomChanges(callback) {
  WIDE.addEventListener("change", callback);
}
