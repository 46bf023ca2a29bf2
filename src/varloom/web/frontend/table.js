// The table of a sample. The address is the query: filters, sort order, columns and page stand in it, so that a link,
// a bookmark and the back button all show the same rows.
import { fetchJson } from "./table/api.js";
import { startColumnChooser } from "./table/column_chooser.js";
import { startExport } from "./table/export.js";
import { startFilters } from "./table/filters.js";
import { defaultColumns, defaultPinned } from "./table/groups.js";
import { startJump } from "./table/jump.js";
import { asked, openQuery } from "./table/query.js";
import { startRowDetail } from "./table/row_detail.js";
import { startSelection } from "./table/selection.js";
import { startViewSwitch } from "./table/view_switch.js";
import { startViews } from "./table/views.js";

const gridModule = import("./table/grid.js"); // by far the largest part: what is around the table does not wait for it
const root = document.getElementById("table");
const base = `/api/v1/samples/${root.dataset.sample}`;

try {
  const query = openQuery(root.dataset.dataset); // a version that is published meanwhile does not change what is shown
  const { columns, rows, synthetic, can_be_split: canBeSplit } = await fetchJson(`${base}/columns`, asked(query));
  root.dataset.total = rows;
  document.getElementById("synthetic-note").hidden = !synthetic;
  const shown = () => query.state.columns ?? defaultColumns(columns);
  const pinned = () => query.state.pinned ?? defaultPinned(columns);
  const table = { root, base, columns, query, shown, pinned };
  startFilters(table);
  startColumnChooser(table);
  startExport(table);
  startViews(table);
  if (canBeSplit) startViewSwitch(table);
  startSelection(table);
  startRowDetail(table);
  (await gridModule).startGrid(table);
  startJump(table);
  root.dataset.ready = "true";
} catch (error) {
  const failure = document.getElementById("table-failure");
  failure.querySelector("[data-text]").textContent = error.message;
  failure.hidden = false;
  document.getElementById("load-again").addEventListener("click", () => location.reload());
}
