// What a column holds among the rows that the other filters leave: its most frequent values, or its distribution.
import { fetchJson } from "./api.js";
import { kindOf } from "./expressions.js";
import { asked, joined } from "./query.js";
import { say } from "./saying.js";

const number = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
const whole = new Intl.NumberFormat("en-US");
const MOST = 200;
const BINS = 40;
const HEIGHT = 72; // of the drawing, in its own units; a bin is ten wide
const SVG = "http://www.w3.org/2000/svg";

/** Shows what columns hold, in the filter form; `chosen` hears which values, `ranged` which bin was clicked. */
export function startSummary({ base, query }, { chosen, ranged }) {
  const area = document.getElementById("column-summary");
  const values = document.getElementById("column-values");
  const search = document.getElementById("column-values-search");
  let column = null;
  let asking = null;
  let picked = new Set();
  let typing = null;

  async function show() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const which = { ...asked(query), filter: joined(query.state.filters) };
    const numeric = column.kind === "number";
    area.setAttribute("aria-busy", "true");
    try {
      const route = `${base}/${numeric ? "histogram" : "facets"}/${encodeURIComponent(column.name)}`;
      const found = await fetchJson(route, { ...which, ...(numeric ? { bins: BINS } : { search: search.value.trim(), limit: MOST }) }, signal);
      numeric ? drawHistogram(found, ranged) : drawValues(found);
      area.setAttribute("aria-busy", "false");
      say(document.getElementById("column-summary-note").textContent);
    } catch (error) {
      if (error.name === "AbortError") return;
      note(error.message);
      area.setAttribute("aria-busy", "false");
    }
  }

  function drawValues({ values: found, distinct, missing }) {
    const template = document.getElementById("column-value-template").content.firstElementChild;
    const rows = found.map(({ value, count }) => {
      const row = template.cloneNode(true);
      const box = row.querySelector("input");
      box.value = String(value);
      box.checked = picked.has(box.value);
      row.querySelector("[data-value]").textContent = value === "" ? "(empty text)" : String(value);
      row.querySelector("[data-count]").textContent = whole.format(count);
      return row;
    });
    values.replaceChildren(...rows);
    const more = distinct > found.length ? `, the ${whole.format(found.length)} most frequent are shown` : "";
    note(`${whole.format(distinct)} different ${distinct === 1 ? "value" : "values"}${search.value.trim() ? "" : more}. ${missingText(missing)}`);
  }

  values.addEventListener("change", ({ target }) => {
    target.checked ? picked.add(target.value) : picked.delete(target.value);
    chosen([...picked]);
  });
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(show, 200);
  });
  return {
    picked: () => [...picked],
    /** Begin with another column. */
    open(next) {
      column = next;
      picked = new Set();
      search.value = "";
      const drawn = column.kind === "number";
      area.hidden = !kindOf(column);
      values.hidden = drawn;
      search.closest("label").hidden = drawn || column.kind === "flag";
      document.getElementById("column-histogram").hidden = !drawn;
      values.replaceChildren();
      note("");
      show();
    },
  };
}

function note(text) {
  document.getElementById("column-summary-note").textContent = text;
}

function missingText(missing) {
  if (missing === 1) return "1 row without a value.";
  return missing ? `${whole.format(missing)} rows without a value.` : "No row is without a value.";
}

function drawHistogram({ edges, counts, missing, odd }, ranged) {
  const drawing = document.querySelector("#column-histogram svg");
  const most = Math.max(...counts, 1);
  drawing.setAttribute("viewBox", `0 0 ${Math.max(counts.length, 1) * 10} ${HEIGHT}`);
  drawing.replaceChildren(...counts.flatMap((count, place) => barOf(count, place, most, edges, ranged)));
  const [low, high] = [edges[0], edges.at(-1)];
  const ends = document.querySelectorAll("#column-histogram [data-end]");
  ends[0].textContent = counts.length ? number.format(low) : "";
  ends[1].textContent = counts.length > 1 ? number.format(high) : "";
  const peak = counts.indexOf(most);
  const same = counts.length === 1 ? `Every value is ${number.format(low)}. ` : "";
  const spread = () => `Numbers from ${number.format(low)} to ${number.format(high)}, most often between ${number.format(edges[peak])} and ${number.format(edges[peak + 1])}.`;
  const about = counts.length ? same.trim() || spread() : "No numbers.";
  drawing.setAttribute("aria-label", about);
  note(`${same}${missingText(missing)}${odd ? ` ${whole.format(odd)} are NaN or infinite.` : ""}`);
}

// A bar, and over it an invisible one of full height, so that small bars can be hit as well.
function barOf(count, place, most, edges, ranged) {
  const height = count ? Math.max(1.5, (count / most) * HEIGHT) : 0;
  const target = rectangle(place * 10, 0, 10, HEIGHT, "bar-target");
  const about = document.createElementNS(SVG, "title");
  about.textContent = `${number.format(edges[place])} to ${number.format(edges[place + 1])}: ${whole.format(count)}`;
  target.append(about);
  target.addEventListener("click", () => ranged(edges[place], edges[place + 1]));
  return [rectangle(place * 10 + 0.5, HEIGHT - height, 9, height, "bar"), target];
}

function rectangle(x, y, width, height, name) {
  const shape = document.createElementNS(SVG, "rect");
  for (const [key, value] of Object.entries({ x, y, width, height, class: name })) shape.setAttribute(key, value);
  return shape;
}
