// Goes to a position of the genome: to the row that is nearest to it, in the order of the file.
import { fetchJson } from "./api.js";
import { asked, joined } from "./query.js";
import { say } from "./saying.js";

const thousands = new Intl.NumberFormat("en-US");

export function startJump(table) {
  const form = document.getElementById("jump-form");
  if (!form) return;
  const field = form.querySelector("input");
  const said = document.getElementById("jump-said");
  field.addEventListener("input", () => told("", false));
  table.query.listen((state, before) => {
    if (state.filters !== before.filters || state.sort !== before.sort) told("", false);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const position = field.value.trim();
    if (!position) return;
    const { filters, sort } = table.query.state;
    try {
      const found = await fetchJson(`${table.base}/locate`, { ...asked(table.query), position, filter: joined(filters) });
      if (found.offset === null) return told(`No row on ${found.contig}${filters.length ? " passes the filters" : ""}.`, true);
      if (sort) table.query.change({ sort: "" });
      table.goTo(found.offset);
      const place = `${found.contig}:${thousands.format(found.position)}`;
      told(found.exact ? "" : `The nearest row is ${place}.`, false);
    } catch (error) {
      told(error.message, true);
    }
  });

  function told(text, wrong) {
    said.textContent = text;
    say(text);
    said.hidden = !text;
    said.classList.toggle("tone-bad", wrong);
    field.setAttribute("aria-invalid", String(wrong));
  }
}
