// igv.js at one place: it reads alignment and genome from this server, in parts, and asks nobody else.
import igv from "igv/dist/igv.esm.js";

const LONGEST = 2000; // bases of a variant that are shown whole
const LETTER = 12; // pixels that a base needs for its letter
const BESIDE = 150; // pixels that are not the sheet's: scale, scroll bar and menu

/** Draws the reads at a row's variant into an element; what it gives takes them away again. */
export async function drawReads(element, base, found, { contig, position, ref }) {
  const host = document.createElement("div");
  element.replaceChildren(host);
  const last = position + Math.min(Math.max(ref?.length ?? 1, 1), LONGEST) - 1;
  const around = Math.min(60, Math.max(10, Math.floor((host.clientWidth - BESIDE) / LETTER / 2)));
  const browser = await igv.createBrowser(host, {
    ...WITHOUT_OTHERS,
    minimumBases: 20,
    reference: referenceOf(base, found),
    locus: `${contig}:${Math.max(1, position - around)}-${last + around}`,
    tracks: [trackOf(base, found, Math.max(200, element.clientHeight - 160), { chr: contig, position })],
    roi: [{ name: "Variant", color: "rgba(60, 90, 200, 0.18)", features: [{ chr: contig, start: position - 1, end: last }] }],
  });
  dress(host.shadowRoot);
  const move = (event) => moveBy(browser, event, element);
  element.addEventListener("keydown", move);
  return () => {
    element.removeEventListener("keydown", move);
    igv.removeBrowser(browser);
  };
}

// No list of genomes, no search by name and no account of other sites.
const WITHOUT_OTHERS = {
  loadDefaultGenomes: false,
  queryParametersSupported: false,
  search: false,
  showIdeogram: false,
  showChromosomeWidget: false,
  showSVGButton: false,
};

// Its own styles count on a light page; and of its bar people need the place and the zoom.
function dress(shadow) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    .igv-container { color-scheme: light; }
    .igv-navbar-toggle-button-container, .igv-logo, .igv-current-genome { display: none !important; }
    .igv-windowsize-panel-container { white-space: nowrap; }
    @media (max-width: 30rem) { .igv-search-container { width: 10rem !important; } }
    :focus-visible { outline: 2px solid #1a56a8; outline-offset: 1px; }
  `);
  shadow.adoptedStyleSheets.push(sheet);
  shadow.querySelector(".igv-search-input").setAttribute("aria-label", "Place, such as 7:117559590");
  shadow.querySelector("input[type=range]")?.setAttribute("aria-label", "Zoom");
}

const STEPS = { ArrowLeft: -0.25, ArrowRight: 0.25 }; // of the width that is seen

function moveBy(browser, event, element) {
  if (event.target !== element || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "+") browser.zoomIn();
  else if (event.key === "-") browser.zoomOut();
  else if (event.key in STEPS) {
    const [{ chr, start, end }] = browser.referenceFrameList;
    const by = Math.max(Math.round((end - start) * STEPS[event.key]), 1 - Math.ceil(start + 1));
    browser.search(`${chr}:${Math.round(start) + 1 + by}-${Math.round(end) + by}`);
  } else return;
  event.preventDefault();
}

function referenceOf(base, { genome, contigs }) {
  if (genome === null) {
    const sizes = Object.entries(contigs).map(([name, length]) => `${name}\t${length}\n`);
    return { id: "genome", format: "chromsizes", fastaURL: new File(sizes, "contigs.sizes"), wholeGenomeView: false };
  }
  const address = (name) => new URL(`${base}/reads/genome/${encodeURIComponent(name)}`, location.href).href;
  return {
    id: genome.name,
    fastaURL: address(genome.fasta),
    indexURL: address(genome.index),
    compressedIndexURL: address(genome.packed_index),
    wholeGenomeView: false,
  };
}

function trackOf(base, { name, alignment, index, alignment_format: keptAs, genome }, height, place) {
  const address = (path) => new URL(`${base}/${path}`, location.href).href;
  const file = (of) => address(`files/${encodeURIComponent(of)}`);
  // To unpack a CRAM it would need WebAssembly, which the pages forbid: the server gives the place as BAM.
  const source = keptAs === "cram" ? { sourceType: "htsget", url: address("reads/htsget") } : { url: file(alignment), indexURL: file(index) };
  return {
    type: "alignment",
    format: "bam",
    name,
    ...source,
    height,
    showSoftClips: false,
    removable: false,
    ...(genome && { sort: { ...place, option: "BASE", direction: "ASC" } }),
  };
}
