// Sizes, times and names as people read them.
const EXTENSIONS = /(\.(vcf|gvcf|g\.vcf|bcf|csv|tsv|tab|txt|json|parquet))?(\.(gz|bgz|bgzf|bz2|xz|zst|zip))?$/i;
const NAMES_SHOWN = 3;

/** A descriptive default: the file's name without the extensions of the formats that are known. */
export function sampleName(name) {
  return name.replace(EXTENSIONS, "").replace(/^[ .]+|[ .]+$/g, "") || name;
}

export function sizeText(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** How long it still takes, roughly: "a few seconds left", "about 4 min left". */
export function leftText(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${Number((seconds / 3600).toPrecision(2))} h left`;
}

export function percentText(done, total) {
  return `${Math.floor((100 * done) / total)}%`;
}

const SLOTS = { download: "Downloading", process: "Processing", annotate: "Annotating", parse: "Parsing" };

/** Where a new job stands: "Queued with 2 ahead.", or nothing when it does not wait. */
export function queueText({ state, stage, queue_position: ahead }) {
  if (state !== "queued" || ahead === null) return "";
  return ahead ? `Queued with ${ahead} ahead` : `Next for a ${SLOTS[stage]} slot`;
}

/** "1 file", "3 URLs". */
export function countText(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** What the beginning of the file told, in one line. */
export function factsText({ format, compression, samples, columns, names, assembly, assembly_evidence: evidence }) {
  const facts = [];
  if (format) facts.push(format.toUpperCase() + (compression && compression !== "none" ? `, ${compression}` : ""));
  if (samples !== null) facts.push(samples === 0 ? "no samples" : counted(samples, "sample", names));
  if (columns !== null) facts.push(counted(columns, "column", names));
  if (assembly) facts.push(`${assembly} by ${evidence}`);
  else if (evidence) facts.push(`neither GRCh37 nor GRCh38 for certain`);
  return facts.join(" · ");
}

function counted(count, noun, names) {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => (name.length > 24 ? `${name.slice(0, 23)}…` : name));
  const more = count > shown.length ? ` and ${(count - shown.length).toLocaleString("en")} more` : "";
  return `${countText(count, noun)}: ${shown.join(", ")}${more}`;
}

/** Fill an element with a text whose parts between backticks are code. */
export function withCode(element, text) {
  const parts = text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));
  element.replaceChildren(...parts);
  return element;
}
