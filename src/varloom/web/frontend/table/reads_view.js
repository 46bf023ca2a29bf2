// igv.js at one place: it reads alignment and genome from this server, in parts, and asks nobody else.
import igv from "igv/dist/igv.esm.js";

const AROUND = 60; // bases on either side of a variant
const LONGEST = 2000; // bases of a variant that are shown whole

/** Draws the reads at a row's variant into an element; what it gives takes them away again. */
export async function drawReads(element, base, found, { contig, position, ref }) {
  const host = document.createElement("div");
  element.replaceChildren(host);
  const last = position + Math.min(Math.max(ref?.length ?? 1, 1), LONGEST) - 1;
  const browser = await igv.createBrowser(host, {
    ...WITHOUT_OTHERS,
    reference: referenceOf(base, found),
    locus: `${contig}:${Math.max(1, position - AROUND)}-${last + AROUND}`,
    tracks: [trackOf(base, found, contig, position)],
    roi: [{ name: "Variant", color: "rgba(60, 90, 200, 0.18)", features: [{ chr: contig, start: position - 1, end: last }] }],
  });
  return () => igv.removeBrowser(browser);
}

// No list of genomes, no search by name and no account of other sites; and only those controls that work here.
const WITHOUT_OTHERS = {
  loadDefaultGenomes: false,
  queryParametersSupported: false,
  search: false,
  showIdeogram: false,
  showChromosomeWidget: false,
  showMultiSelectButton: false,
  showROITableButton: false,
  showSampleNameButton: false,
  showSVGButton: false,
};

function referenceOf(base, { genome, contigs }) {
  if (genome === null) {
    const sizes = Object.entries(contigs).map(([name, length]) => `${name}\t${length}\n`);
    return { id: "contigs", format: "chromsizes", fastaURL: new File(sizes, "contigs.sizes"), wholeGenomeView: false };
  }
  const address = (name) => new URL(`${base}/reads/genome/${encodeURIComponent(name)}`, location.href).href;
  return {
    id: genome.name,
    name: genome.name,
    fastaURL: address(genome.fasta),
    indexURL: address(genome.index),
    compressedIndexURL: address(genome.packed_index),
    wholeGenomeView: false,
  };
}

function trackOf(base, { name, alignment, index }, contig, position) {
  const address = (file) => new URL(`${base}/files/${encodeURIComponent(file)}`, location.href).href;
  return {
    type: "alignment",
    format: "bam",
    name,
    url: address(alignment),
    indexURL: address(index),
    height: 420,
    showSoftClips: false,
    removable: false,
    sort: { chr: contig, position, option: "BASE", direction: "ASC" },
  };
}
