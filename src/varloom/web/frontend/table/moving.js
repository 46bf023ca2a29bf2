// Columns change places: by dragging a header, by Shift and an arrow key on it, or by buttons in the list of columns. Their
// order stands in the address, as do the columns that stay in sight.
import { defaultColumns, defaultPinned } from "./groups.js";
import { say } from "./saying.js";

/** Keep the order that the grid's columns have now: [{name, pinned}]. */
export function keepOrder(table, order) {
  const columns = order.map(({ name }) => name);
  const pinned = order.filter((column) => column.pinned).map(({ name }) => name);
  table.query.change({
    columns: same(columns, defaultColumns(table.columns)) ? null : columns,
    pinned: same(pinned, defaultPinned(table.columns)) ? null : pinned,
  });
}

/** Move a column by one place among those that stand in the same part of the table, and say where it is now. */
export function moveBy(table, name, step) {
  const pinned = new Set(table.pinned());
  const names = [...table.shown()];
  const beside = names.filter((one) => pinned.has(one) === pinned.has(name));
  const other = beside[beside.indexOf(name) + step];
  if (other !== undefined) {
    const [from, to] = [names.indexOf(name), names.indexOf(other)];
    names.splice(to, 0, ...names.splice(from, 1));
    keepOrder(table, names.map((one) => ({ name: one, pinned: pinned.has(one) })));
  }
  sayPlace(table, name);
}

/** Say where a column stands, counted from the left as the table shows it. */
export function sayPlace(table, name) {
  const pinned = new Set(table.pinned());
  const shown = table.shown();
  const places = [...shown.filter((one) => pinned.has(one)), ...shown.filter((one) => !pinned.has(one))];
  say(`${name} is column ${places.indexOf(name) + 1} of ${places.length}.`);
}

/** The names with others among them: each stands behind what is before it in the file. */
export function withOthers(all, names, others) {
  const result = [...names];
  for (const other of others.filter((one) => !names.includes(one))) {
    const before = new Set(all.slice(0, all.indexOf(other)));
    result.splice(result.findLastIndex((one) => before.has(one)) + 1, 0, other);
  }
  return result;
}

export function same(names, others) {
  return names.length === others.length && names.every((name, place) => name === others[place]);
}
