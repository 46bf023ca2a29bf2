// The grid itself: AG Grid with rows fetched block by block, sorted and filtered by the server.
import {
  CellStyleModule,
  ColumnApiModule,
  InfiniteRowModelModule,
  ModuleRegistry,
  PaginationModule,
  ScrollApiModule,
  createGrid,
} from "ag-grid-community";

import { fetchJson } from "./api.js";
import { isNumber, rendererOf } from "./cells.js";
import { ColumnHeader, shortName } from "./header.js";
import { joinNames, joined, sortOrder, sortText } from "./query.js";
import { theme } from "./theme.js";

ModuleRegistry.registerModules([
  CellStyleModule,
  ColumnApiModule,
  InfiniteRowModelModule,
  PaginationModule,
  ScrollApiModule,
]);

const BLOCK = 100; // rows of one request
const PAGE = 1000; // rows of one page: in one page of millions, a turn of the wheel would jump over rows

export function startGrid(table) {
  const { root, query } = table;
  const grid = createGrid(root, optionsOf(table));
  table.loadAgain = () => grid.purgeInfiniteCache();
  query.listen((state, before) => {
    if (state.dataset !== before.dataset) return location.reload();
    if (changed(state, before, "columns")) grid.setGridOption("columnDefs", definitionsOf(table));
    if (changed(state, before, "sort")) applySort(grid, state.sort);
    if (changed(state, before, "filters") || changed(state, before, "columns")) grid.purgeInfiniteCache();
    if (state.page !== grid.paginationGetCurrentPage()) grid.paginationGoToPage(state.page);
  });
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
  return table.shown().map((name) => known.get(name)).filter(Boolean).map((column) => definitionOf(table, column, order));
}

function definitionOf(table, column, order) {
  const place = order.findIndex(({ name }) => name === column.name);
  return {
    colId: column.name,
    headerName: column.name,
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
  const known = { contig: 120, position: 148, ref: 104, alt: 104, qual: 120, filter: 120, id: 140 };
  return known[column.name] ?? Math.min(240, Math.max(112, 72 + 9 * shortName(column).length));
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

function datasourceOf({ base, query, root, shown }) {
  return {
    async getRows({ startRow, endRow, successCallback, failCallback }) {
      const { filters, sort, dataset } = query.state;
      const asked = { dataset, offset: startRow, limit: endRow - startRow, sort, filter: joined(filters) };
      try {
        const { rows, total } = await fetchJson(`${base}/rows`, { ...asked, columns: joinNames(shown()) });
        root.dispatchEvent(new CustomEvent("rows", { detail: { total } }));
        successCallback(rows, total);
      } catch (error) {
        root.dispatchEvent(new CustomEvent("refused", { detail: error }));
        failCallback();
      }
    },
  };
}
