// Reads among what was chosen: which files are of one sample, which are mates, and what is asked of them. As the server
// does it (services/read_files.py, processing/lanes.py).
import { watchEngines } from "./engines.js";

const PACKED = /\.(gz|bgz|bgzf)$/i;
const FASTQ = /\.(fastq|fq)$/i;
const ALIGNMENT = /\.(bam|cram)$/i;
const INDEX = /\.(bai|crai|csi)$/i;
const MATE = /^(.*?[._-])(R|read_?|)([12])(([._-].*)?)$/i;
const LANE_ENDS = /([._-]S\d+)?([._-]L\d{3})?([._-](R|read_?)?\??)?([._-]\d{3})?$/i;
const FORMATS = new Set(["fastq", "bam", "cram"]);

/** Whether what was found at the beginning of a file are reads, whatever it is called. */
export const areReadsByContent = (found) => FORMATS.has(found?.format);

export function areReads(name) {
  return FASTQ.test(name.replace(PACKED, "")) || ALIGNMENT.test(name);
}

/** Lane and mate by a name: the last part of it that can be a mate counts. */
function mateOf(name) {
  const bare = name.replace(PACKED, "").replace(FASTQ, "");
  let best = null;
  for (let at = 0; at < bare.length; at += 1) {
    const match = MATE.exec(bare.slice(at));
    if (match && (match[2] || !match[4])) best = { at: at + match[1].length, word: match[2], mate: Number(match[3]), after: match[4] };
  }
  return best ? { lane: `${bare.slice(0, best.at)}${best.word}?${best.after}`, mate: best.mate } : { lane: bare, mate: null };
}

/** What a file of reads is of, by its name without lane, mate and extension. */
export function sampleOf(name) {
  if (ALIGNMENT.test(name) || INDEX.test(name)) return name.replace(INDEX, "").replace(ALIGNMENT, "");
  const { lane } = mateOf(name);
  return lane.replace(LANE_ENDS, "").replace(/^[._\- ]+|[._\- ]+$/g, "") || lane;
}

/**
 * What becomes one job each: [{reads, items}], in the order in which they were given. `nameOf` tells what an item is
 * called. FASTQ files whose names differ in lane and mate alone are of one sample; an alignment goes with its index.
 */
export function together(items, nameOf) {
  const found = new Map();
  items.forEach((item, index) => {
    const name = nameOf(item);
    const isAlignment = ALIGNMENT.test(name) || INDEX.test(name);
    const reads = isAlignment || areReads(name);
    const key = reads ? `${isAlignment ? "alignment" : "fastq"} ${sampleOf(name)}` : index;
    if (!found.has(key)) found.set(key, { reads, items: [] });
    found.get(key).items.push(item);
  });
  // An index without its alignment is no reads.
  return [...found.values()].map((one) => ({ ...one, reads: one.reads && one.items.some((item) => areReads(nameOf(item))) }));
}

/** The files of a sample in the order in which they are sent, lane by lane: [{title, names, items, lacks}]. */
export function lanesOf(items, nameOf) {
  const alignments = items.filter((item) => !FASTQ.test(nameOf(item).replace(PACKED, "")));
  if (alignments.length) return [{ title: "Alignment", items: alignments, lacks: "" }];
  const lanes = new Map();
  for (const item of items) {
    const { lane, mate } = mateOf(nameOf(item));
    if (!lanes.has(lane)) lanes.set(lane, []);
    lanes.get(lane).push({ item, mate });
  }
  const inOrder = [...lanes].sort(([one], [other]) => (one < other ? -1 : 1));
  return inOrder.map(([, files], index) => {
    files.sort((one, other) => (one.mate ?? 0) - (other.mate ?? 0));
    const mates = files.map(({ mate }) => mate);
    const lacks = mates.length === 1 && mates[0] === 2 ? "the file of the first mates is missing" : "";
    const single = mates.length === 1 && mates[0] === 1 && lanes.size > 1 ? "the file of the second mates is missing" : "";
    const kind = files.length === 2 ? "Pair" : "One file";
    return { title: lanes.size > 1 ? `${kind} ${index + 1}` : kind, items: files.map(({ item }) => item), lacks: lacks || single };
  });
}

/** Show what is asked of reads in an entry, and how its files belong together; what refuses them, or null. */
export function showReads(entry, items, nameOf) {
  for (const selector of ["[data-assembly]", "[data-split]"]) entry.find(selector).hidden = true;
  for (const box of entry.element.querySelectorAll("[data-reads]")) box.hidden = false;
  watchEngines(entry);
  const lanes = lanesOf(items, nameOf);
  const list = entry.find("[data-lanes]");
  list.hidden = false;
  list.replaceChildren(...lanes.map((lane) => laneItem(lane, nameOf)));
  const faulty = lanes.find((lane) => lane.lacks);
  if (faulty) return { title: "These reads are not complete", detail: `${nameOf(faulty.items[0])}: ${faulty.lacks}.`, resolution: ["Choose both files of each lane together."] };
  const genomes = entry.field("reference");
  if (genomes.options.length) return null;
  return {
    title: "Reads need a reference genome",
    detail: "None is installed on this server.",
    resolution: ["Whoever runs it installs one: `varloom refs add NAME --kind fasta --assembly GRCh38 --from FASTA`."],
  };
}

function laneItem({ title, items, lacks }, nameOf) {
  const item = document.createElement("li");
  const head = Object.assign(document.createElement("span"), { className: "upload-lane-title", textContent: title });
  const names = items.map((one) => Object.assign(document.createElement("span"), { className: "upload-lane-file", textContent: nameOf(one) }));
  item.append(head, ...names);
  item.classList.toggle("is-lacking", lacks !== "");
  return item;
}

/** What an entry of reads asks for, beside what all ask. */
export function readsOptions(entry) {
  const names = ["reference", "caller", "engine", "alignment_format", "sex_chromosomes"];
  return { reads: true, ...Object.fromEntries(names.map((name) => [name, entry.field(name).value])) };
}
