// The source of igv.js as it is bundled: it keeps to the content security policy of the pages, and asks no other host
// for anything. Each change says how often it is made: a release in which that differs does not build.
import { readFile } from "node:fs/promises";

const CHANGES = [
  // Styles put into the page's head: those of the colour picker are in igv's shadow tree as well, the others are unused.
  [/document\.documentElement\.firstElementChild\.appendChild\(style\);/g, "", 1],
  [/document\.head\.insertBefore\(style, document\.head\.childNodes\[ document\.head\.childNodes\.length - 1 \]\);/g, "", 1],
  [/\\n\/\*# sourceMappingURL=[^*]*\*\//g, "", 1],
  // Styles in attributes of markup.
  [/<(hr|span) style="[^"]*"/g, "<$1", 15],
  // A list, on the makers' site, of where files have moved to.
  [/if \(url === mappingURL\) \{/g, "if (url) {", 1],
  // What would send bases of a read to a service for BLAT.
  [/(\/\/ TODO test if genome supports blat\s+const seqstring = )clickedAlignment\.seq;/g, "$1null;", 1],
  [/items\.push\(\{(\s+label: 'BLAT visible sequence')/g, "void ({$1", 1],
  // The last block of a packed FASTA was taken for an empty one: the end of every genome, and the whole of a small one.
  [/return \[highestBlockNumber\]/g, "return [highestBlockNumber, -1]", 1],
  // Without a genome there is none, which is said above the reads.
  [/console\.error\("No sequence for: "[^\n]*/g, "", 1],
];

export const igvSource = {
  name: "igv",
  setup(build) {
    build.onLoad({ filter: /[\\/]node_modules[\\/]igv[\\/]dist[\\/]igv\.esm\.js$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const [what, instead, times] of CHANGES) {
        const found = contents.match(what)?.length ?? 0;
        if (found !== times) throw new Error(`igv.js: ${what} is there ${found} times, not ${times}: look at the change`);
        contents = contents.replace(what, instead);
      }
      return { contents, loader: "js" };
    });
  },
};

/** What the comments of a bundled package say of the licences of others whose code it brings along. */
export function licenceComments(source) {
  const comments = source.match(/\/\*[\s\S]*?\*\//g) ?? [];
  const told = comments.filter((text) => /@license|copyright|licen[cs]ed? under|\(c\) \d{4}/i.test(text));
  return [...new Set(told)].map((text) => text.replace(/^ +/gm, " "));
}

// What igv.js holds of others, by the comments that name it: how often, and the licence that the comment tells.
const BROUGHT = [
  ["canvas2svg", /Canvas 2 Svg v([\d.]+)/g, "MIT", 1],
  ["dompurify", /@license DOMPurify ([\d.]+) /g, "Apache-2.0 OR MPL-2.0", 1],
  ["is-number", /is-number <https:()/g, "MIT", 1],
  ["pako", /\/\*! pako ([\d.]+) /g, "MIT AND Zlib", 2],
  ["regenerator-runtime", /\/\*! regenerator-runtime --()/g, "MIT", 1],
  ["vanilla-picker", /vanilla-picker v([\d.]+)/g, "ISC", 2],
];

/** The packages whose code a release of igv.js brings along; their version is "" where no comment tells it. */
export function broughtBy(source) {
  return BROUGHT.flatMap(([name, comment, license, times]) => {
    const versions = [...new Set(Array.from(source.matchAll(comment), ([, version]) => version))].sort();
    if (versions.length !== times) throw new Error(`igv.js brings ${name} ${versions.length} times, not ${times}`);
    return versions.map((version) => ({ name, version, license }));
  });
}
