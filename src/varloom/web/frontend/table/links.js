// Where else a variant can be looked up, by its position and the table's assembly, or shown by IGV where it runs on the
// reader's own computer. Nothing is asked there by itself.

const BUILDS = {
  GRCh38: { ucsc: "hg38", clinvar: "chrpos38", gnomad: "gnomad_r4", ensembl: "https://www.ensembl.org" },
  GRCh37: { ucsc: "hg19", clinvar: "chrpos37", gnomad: "gnomad_r2_1", ensembl: "https://grch37.ensembl.org" },
};
const CHROMOSOME = /^(?:chr)?(\d{1,2}|X|Y|M|MT)$/i;
const BASES = /^[ACGTN]{1,50}$/i;

const IGV = "http://localhost:60151"; // IGV's batch port: where it listens unless its preferences say otherwise

/** [{label, address}] for a row: other sites when its place is one that they know, and IGV for any place. */
export function linksOf(row, assembly) {
  if (!row.contig || !Number.isInteger(row.position)) return [];
  const place = `${row.contig}:${row.position}`;
  return [...sitesOf(row, assembly), { label: "IGV on this computer", address: `${IGV}/goto?locus=${encodeURIComponent(place)}` }];
}

function sitesOf(row, assembly) {
  const build = BUILDS[assembly];
  const chromosome = CHROMOSOME.exec(row.contig ?? "")?.[1].toUpperCase();
  if (!build || !chromosome) return [];
  const name = chromosome === "M" ? "MT" : chromosome;
  const end = row.position + Math.max(1, BASES.test(row.ref ?? "") ? row.ref.length : 1) - 1;
  const exact = BASES.test(row.ref ?? "") && BASES.test(row.alt ?? "");
  const gnomadPlace = name === "MT" ? "M" : name;
  const links = [
    ["gnomAD", exact ? `https://gnomad.broadinstitute.org/variant/${gnomadPlace}-${row.position}-${row.ref}-${row.alt}?dataset=${build.gnomad}` : `https://gnomad.broadinstitute.org/region/${gnomadPlace}-${row.position}-${end}?dataset=${build.gnomad}`],
    ["ClinVar", `https://www.ncbi.nlm.nih.gov/clinvar/?term=${encodeURIComponent(`${name}[chr] AND ${row.position}[${build.clinvar}]`)}`],
    ["UCSC", `https://genome.ucsc.edu/cgi-bin/hgTracks?db=${build.ucsc}&position=chr${name === "MT" ? "M" : name}%3A${row.position}-${end}`],
    ["Ensembl", `${build.ensembl}/Homo_sapiens/Location/View?r=${name}%3A${row.position}-${end}`],
  ];
  const known = /^rs\d+/.exec(row.id ?? "");
  if (known) links.push(["dbSNP", `https://www.ncbi.nlm.nih.gov/snp/${known[0]}`]);
  return links.map(([label, address]) => ({ label, address }));
}
