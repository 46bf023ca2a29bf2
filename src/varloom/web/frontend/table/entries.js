// Cells that hold a list of entries with fields, such as the transcripts of a variant: a count in the cell, the entries in
// a dialog.

/** Whether the cells of a column hold such lists. */
export function holdsEntries(column) {
  return column.type.startsWith("list<struct<");
}

/** The button that stands in a cell. */
export function entriesButton(column, entries, place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button-plain button-small cell-entries";
  button.textContent = entries.length === 1 ? "1 entry" : `${entries.length} entries`;
  button.addEventListener("click", () => showEntries(column, entries, place));
  return button;
}

/** Fill a table with entries: a column for each field that any of them has. */
export function drawEntries(table, entries) {
  const names = Object.keys(entries[0] ?? {}).filter((name) => entries.some((entry) => entry[name] !== null));
  table.querySelector("thead tr").replaceChildren(...names.map(headOf));
  table.querySelector("tbody").replaceChildren(...entries.map((entry) => rowOf(entry, names)));
}

function showEntries(column, entries, place) {
  const dialog = document.getElementById("entries-dialog");
  document.getElementById("entries-title").textContent = place ? `${column.name}, ${place}` : column.name;
  drawEntries(dialog.querySelector("table"), entries);
  const close = dialog.querySelector("[data-close]");
  close.onclick = () => dialog.close();
  dialog.showModal();
  dialog.querySelector(".entries-scroll").scrollTo(0, 0);
}

function headOf(name) {
  const cell = document.createElement("th");
  cell.scope = "col";
  cell.textContent = name;
  return cell;
}

function rowOf(entry, names) {
  const row = document.createElement("tr");
  row.append(
    ...names.map((name) => {
      const cell = document.createElement("td");
      const text = entry[name];
      cell.textContent = text ?? "\u00b7";
      if (text === null) cell.className = "cell-missing";
      return cell;
    }),
  );
  return row;
}
