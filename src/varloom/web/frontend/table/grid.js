// The grid itself: AG Grid with rows fetched block by block, sorted and filtered by the server.
import {
  CellApiModule,
  CellStyleModule,
  ColumnApiModule,
  EventApiModule,
  InfiniteRowModelModule,
  ModuleRegistry,
  PaginationModule,
  RowApiModule,
  ScrollApiModule,
  createGrid,
} from "ag-grid-community";

import { fetchJson } from "./api.js";
import { isNumber, rendererOf, textOf } from "./cells.js";
import { copyText } from "./copying.js";
import { kindOf } from "./expressions.js";
import { whenRoomChanges } from "./groups.js";
import { ColumnHeader, HiddenHeader, shortName } from "./header.js";
import { keepOrder, same, sayPlace } from "./moving.js";
import { asked, joinNames, joined, sortOrder, sortText } from "./query.js";
import { theme } from "./theme.js";

ModuleRegistry.registerModules([
  CellApiModule,
  CellStyleModule,
  ColumnApiModule,
  EventApiModule,
  InfiniteRowModelModule,
  PaginationModule,
  RowApiModule,
  ScrollApiModule,
]);

const BLOCK = 100; // rows of one request
const PAGE = 1000; // rows of one page: in one page of millions, a turn of the wheel would jump over rows

export function startGrid(table) {
  const { root, query } = table;
  const grid = createGrid(root, optionsOf(table));
  const element = root.querySelector('[role="grid"]');
  element?.setAttribute("aria-label", root.dataset.name);
  element?.setAttribute("aria-describedby", "table-keys");
  root.addEventListener("keydown", (event) => headerKey(table, event), true);
  const drawAnew = () => isDrawnAs(grid, table) || grid.setGridOption("columnDefs", definitionsOf(table));
  whenRoomChanges(drawAnew);
  table.loadAgain = () => grid.purgeInfiniteCache();
  table.loadedRow = (index) => grid.getDisplayedRowAtIndex(index)?.data;
  // Rows that were not fetched yet are, by being scrolled to.
  table.rowAt = (index) => {
    if (index < 0 || index >= grid.getDisplayedRowCount()) return undefined;
    grid.ensureIndexVisible(index);
    return grid.getDisplayedRowAtIndex(index)?.data;
  };
  let wantsTop = false;
  const showTop = () => {
    if (!wantsTop) return;
    const first = grid.paginationGetCurrentPage() * grid.paginationGetPageSize();
    if (first < grid.getDisplayedRowCount()) grid.ensureIndexVisible(first, "top");
  };
  // The grid draws the rows of a new order late, and may leave the table where it was before them.
  table.haveCome = () => {
    showTop();
    wantsTop = false;
  };
  const show = (index, place, column) => {
    wantsTop = false;
    // Until the rows of a new order come the grid knows only of its first ones; how many there are has not changed.
    if (index >= grid.getDisplayedRowCount() && index < table.total) grid.setRowCount(table.total, true);
    grid.paginationGoToPage(Math.floor(index / grid.paginationGetPageSize()));
    grid.ensureIndexVisible(index, place);
    grid.setFocusedCell(index, column);
  };
  table.focusRow = (index) => show(index, null, grid.getFocusedCell()?.column ?? DETAILS);
  table.goTo = (index) => show(index, "top", table.shown().includes("position") ? "position" : DETAILS);
  query.listen((state, before) => {
    drawAnew();
    if (changed(state, before, "sort")) applySort(grid, state.sort);
    if (changed(state, before, "filters") || hasOthers(before, state)) grid.purgeInfiniteCache();
    // Other rows, or others first: who were left in the middle of them would take them for the first.
    if (changed(state, before, "filters") || changed(state, before, "sort")) {
      wantsTop = true;
      setTimeout(showTop);
    }
    if (state.page !== grid.paginationGetCurrentPage()) grid.paginationGoToPage(state.page);
  });
}

// Whether columns are shown that were not: those that only moved or went are there already.
function hasOthers(before, state) {
  return before.columns === null || state.columns === null
    ? before.columns !== state.columns
    : state.columns.some((name) => !before.columns.includes(name));
}

// The columns as the grid shows them: [{name, pinned}].
function drawnOrder(grid) {
  return grid
    .getColumnState()
    .filter(({ colId }) => !OURS.has(colId))
    .map(({ colId, pinned }) => ({ name: colId, pinned: pinned === "left" }));
}

function isDrawnAs(grid, table) {
  const drawn = drawnOrder(grid);
  const known = new Set(table.columns.map(({ name }) => name));
  const pinned = new Set(table.pinned());
  const wanted = table.shown().filter((name) => known.has(name));
  return same(drawn.map(({ name }) => name), wanted) && drawn.every((column) => column.pinned === pinned.has(column.name));
}

function changed(state, before, part) {
  return JSON.stringify(state[part]) !== JSON.stringify(before[part]);
}

function optionsOf(table) {
  const { root, query } = table;
  return {
    theme,
    styleNonce: root.dataset.nonce,
    rowModelType: "infinite",
    datasource: datasourceOf(table),
    cacheBlockSize: BLOCK,
    maxBlocksInCache: 30,
    maxConcurrentDatasourceRequests: 2,
    blockLoadDebounceMillis: 40,
    infiniteInitialRowCount: BLOCK,
    pagination: true,
    paginationPageSize: PAGE,
    paginationPageSizeSelector: [100, 500, 1000],
    enableCellTextSelection: true,
    suppressFieldDotNotation: true,
    suppressDragLeaveHidesColumns: true,
    animateRows: false,
    suppressColumnMoveAnimation: true, // a key that is pressed twice would find the column on its way
    multiSortKey: "ctrl",
    columnDefs: definitionsOf(table),
    defaultColDef: { sortable: true, resizable: true, sortingOrder: ["asc", "desc", null], minWidth: 72 },
    overlayNoRowsTemplate: "<span>No row matches the filters</span>",
    onSortChanged: ({ api, source }) => {
      if (source === "uiColumnSorted") query.change({ sort: sortText(orderOf(api)), page: 0 });
    },
    onPaginationChanged: ({ newPage, api }) => {
      if (newPage && table.loaded) query.change({ page: api.paginationGetCurrentPage() });
    },
    onColumnMoved: ({ api, source, finished, column }) => {
      if (source !== "uiColumnMoved" || !finished) return;
      keepOrder(table, drawnOrder(api));
      if (column) sayPlace(table, column.getColId());
    },
    onColumnPinned: ({ api, source }) => {
      if (source === "uiColumnDragged" || source === "uiColumnMoved") keepOrder(table, drawnOrder(api));
    },
    // What does not fit beside the others scrolls with them, but for the button of the row.
    processUnpinnedColumns: ({ api }) => api.getDisplayedLeftColumns().filter((column) => !OURS.has(column.getColId())),
    // Arrows go from cell to cell; Tab leaves the rows, or else it would take thousands to get out.
    tabToNextCell: () => false,
    tabToNextHeader: () => false,
    onCellKeyDown: ({ event, column, value, rowIndex, data }) => cellKey(table, event, column, value, rowIndex, data),
    onCellDoubleClicked: ({ rowIndex, data }) => table.openRow(rowIndex, data),
    onFirstDataRendered: ({ api }) => {
      if (query.state.page) api.paginationGoToPage(query.state.page);
      table.loaded = true;
    },
  };
}

// Only columns that are shown are columns of the grid: a file of 500 samples has thousands.
function definitionsOf(table) {
  const order = sortOrder(table.query.state.sort);
  const known = new Map(table.columns.map((column) => [column.name, column]));
  const pinned = new Set(table.pinned());
  const chosen = table.shown().map((name) => known.get(name)).filter(Boolean);
  return [...(table.selection ? [selectColumn(table)] : []), detailsColumn(table), ...chosen.map((column) => definitionOf(table, column, order, pinned))];
}

const SELECT = "selection of the row";
const DETAILS = "details of the row"; // no column of a file ends up with these names: the reader trims and numbers names

const OURS = new Set([SELECT, DETAILS]);

// A box for each row, by which several are chosen to be annotated; only where that can be done.
function selectColumn(table) {
  return {
    colId: SELECT,
    headerName: "Selected",
    headerComponent: HiddenHeader,
    pinned: "left",
    lockPosition: "left",
    sortable: false,
    resizable: false,
    width: 34,
    minWidth: 34,
    cellClass: "cell-select",
    cellRenderer: ({ data, node }) => table.selection.boxOf(data, node.rowIndex),
  };
}

// The first column: a button that opens all that is known of the row.
function detailsColumn(table) {
  return {
    colId: DETAILS,
    headerName: "Details",
    headerComponent: HiddenHeader,
    pinned: "left",
    lockPosition: "left",
    sortable: false,
    resizable: false,
    width: 40,
    minWidth: 40,
    cellClass: "cell-details",
    cellRenderer: ({ data, node }) => detailsButton(table, node.rowIndex, data),
  };
}

function detailsButton(table, index, data) {
  const button = document.getElementById("row-button-template").content.firstElementChild.cloneNode(true);
  button.disabled = !data;
  button.addEventListener("click", () => table.openRow(index, data));
  return button;
}

// F, or Alt and the arrow down, asks for a filter of the column whose header has the focus.
function headerKey(table, event) {
  const header = document.activeElement;
  const asks = event.altKey ? event.key === "ArrowDown" : event.key.toLowerCase() === "f" && !event.ctrlKey && !event.metaKey;
  if (!asks || !header?.matches(".ag-header-cell")) return;
  const column = table.columns.find(({ name }) => name === header.getAttribute("col-id"));
  if (!column || !kindOf(column)) return;
  event.preventDefault();
  event.stopPropagation();
  table.askFilter(column);
}

// Enter opens the row, Ctrl+C copies the cell unless text is selected.
function cellKey(table, event, column, value, rowIndex, data) {
  if (event.key === "Enter" && !event.target.closest("button")) {
    event.preventDefault();
    table.openRow(rowIndex, data);
  }
  if (event.key === " " && table.selection && data && !event.target.closest("button, input")) {
    event.preventDefault();
    table.selection.toggle(data, rowIndex, event.shiftKey);
  }
  if (event.key.toLowerCase() === "c" && (event.ctrlKey || event.metaKey) && !getSelection()?.toString() && data) {
    const known = table.columns.find(({ name }) => name === column.getColId());
    if (known) copyText(value === null || value === undefined ? "" : typeof value === "number" ? String(value) : textOf(known, value), "The cell");
  }
}

function definitionOf(table, column, order, pinned) {
  const place = order.findIndex(({ name }) => name === column.name);
  return {
    colId: column.name,
    headerName: column.name,
    pinned: pinned.has(column.name) ? "left" : null,
    valueGetter: ({ data }) => data?.[column.name],
    cellRenderer: rendererOf(column),
    cellClass: isNumber(column) ? "cell-number" : "",
    headerClass: isNumber(column) ? "header-number" : "",
    headerComponentParams: {
      innerHeaderComponent: ColumnHeader,
      innerHeaderComponentParams: { title: column, onFilter: (chosen) => table.askFilter(chosen) },
    },
    sort: place < 0 ? null : order[place].descending ? "desc" : "asc",
    sortIndex: place < 0 ? null : place,
    initialWidth: widthOf(column),
  };
}

// A first guess, so that the first rows can be drawn before any of them is known.
function widthOf(column) {
  const known = { contig: 132, position: 168, id: 140 };
  return known[column.name] ?? Math.min(240, Math.max(124, 96 + 9 * shortName(column).length)); // with the signs of a sort
}

function orderOf(api) {
  return api
    .getColumnState()
    .filter(({ sort }) => sort)
    .sort((one, other) => one.sortIndex - other.sortIndex)
    .map(({ colId, sort }) => ({ name: colId, descending: sort === "desc" }));
}

function applySort(grid, text) {
  const state = sortOrder(text).map(({ name, descending }, place) => ({
    colId: name,
    sort: descending ? "desc" : "asc",
    sortIndex: place,
  }));
  grid.applyColumnState({ state, defaultState: { sort: null } });
}

function datasourceOf(table) {
  const { base, query, root, shown } = table;
  return {
    async getRows({ startRow, endRow, successCallback, failCallback }) {
      const { filters, sort, dataset } = query.state;
      const page = { ...asked(query), offset: startRow, limit: endRow - startRow, sort, filter: joined(filters) };
      try {
        const { rows, total } = await fetchJson(`${base}/rows`, { ...page, columns: joinNames(shown()) });
        if (filters === query.state.filters && dataset === query.state.dataset) { // else nobody asks for it any more
          table.total = total;
          root.dispatchEvent(new CustomEvent("rows", { detail: { total } }));
        }
        successCallback(rows, total);
        if (filters === query.state.filters && sort === query.state.sort) table.haveCome();
      } catch (error) {
        root.dispatchEvent(new CustomEvent("refused", { detail: error }));
        failCallback();
      }
    },
  };
}
