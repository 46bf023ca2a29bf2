// Which columns are shown, and which stay in sight when the table is scrolled: a list with search, in groups.
import { defaultColumns, grouped, whenRoomChanges } from "./groups.js";
import { moveBy, same, withOthers } from "./moving.js";

export function startColumnChooser(table) {
  const { columns, query } = table;
  const list = document.getElementById("column-groups");
  const search = document.getElementById("column-search");
  // Drawn when it is opened first: a file of 500 samples has thousands of columns.
  const draw = () => {
    if (list.childElementCount) return;
    list.replaceChildren(...grouped(columns).map((group) => drawGroup(group)));
    refresh();
  };
  const menu = document.getElementById("columns-menu");
  menu.addEventListener("beforetoggle", draw);
  search.addEventListener("input", () => narrow(list, search.value.trim().toLowerCase()));
  list.addEventListener("change", (event) => {
    const { group, column } = event.target.dataset;
    const names = group ? visibleNames(event.target.closest("fieldset")) : [column];
    show(table, names, event.target.checked);
  });
  list.addEventListener("click", ({ target }) => {
    const mover = target.closest("[data-move]");
    if (mover) return moveBy(table, mover.dataset.moved, Number(mover.dataset.move));
    const name = target.closest("[data-pin]")?.dataset.pin;
    if (name === undefined) return;
    const pinned = table.pinned();
    query.change({ pinned: pinned.includes(name) ? pinned.filter((one) => one !== name) : [...pinned, name] });
  });
  document.getElementById("column-reset").addEventListener("click", () => query.change({ columns: null, pinned: null }));
  const refresh = () => check(list, table.shown(), table.pinned());
  query.listen(refresh);
  whenRoomChanges(refresh);
  if (menu.matches(":popover-open")) draw(); // opened while the page was still starting
}

/** Show or hide some columns; what is shown keeps its place, what comes stands where it stands in the file. */
function show(table, names, on) {
  const shown = table.shown();
  const all = table.columns.map(({ name }) => name);
  const wanted = on ? withOthers(all, shown, names) : shown.filter((name) => !names.includes(name));
  if (wanted.length === 0) return check(document.getElementById("column-groups"), shown, table.pinned());
  table.query.change({ columns: same(wanted, defaultColumns(table.columns)) ? null : wanted });
}

function drawGroup({ label, columns }) {
  const group = document.getElementById("column-group-template").content.firstElementChild.cloneNode(true);
  group.querySelector("[data-label]").textContent = label;
  group.querySelector("[data-group]").setAttribute("aria-label", `All columns of ${label}`);
  const template = document.getElementById("column-choice-template").content.firstElementChild;
  const choices = columns.map((column) => {
    const choice = template.cloneNode(true);
    choice.querySelector("input").dataset.column = column.name;
    choice.querySelector("[data-name]").textContent = column.name;
    choice.querySelector("[data-about]").textContent = column.description ?? "";
    const pin = choice.querySelector("[data-pin]");
    pin.dataset.pin = column.name;
    pin.setAttribute("aria-label", `Pin ${column.name}`);
    for (const mover of choice.querySelectorAll("[data-move]")) {
      mover.dataset.moved = column.name;
      mover.setAttribute("aria-label", `Move ${column.name} to the ${mover.dataset.move === "-1" ? "left" : "right"}`);
    }
    choice.dataset.text = `${column.name} ${column.description ?? ""}`.toLowerCase();
    return choice;
  });
  group.querySelector("[data-choices]").replaceChildren(...choices);
  return group;
}

function narrow(list, text) {
  for (const choice of list.querySelectorAll("[data-text]")) choice.hidden = !choice.dataset.text.includes(text);
  for (const group of list.children) group.hidden = group.querySelector("[data-text]:not([hidden])") === null;
}

function visibleNames(group) {
  return [...group.querySelectorAll("[data-text]:not([hidden]) input")].map((input) => input.dataset.column);
}

function check(list, shown, pinned) {
  const names = new Set(shown);
  for (const pin of list.querySelectorAll("[data-pin]")) pin.setAttribute("aria-pressed", String(pinned.includes(pin.dataset.pin)));
  for (const mover of list.querySelectorAll("[data-move]")) mover.hidden = !names.has(mover.dataset.moved);
  for (const group of list.children) {
    const boxes = [...group.querySelectorAll("input[data-column]")];
    for (const box of boxes) box.checked = names.has(box.dataset.column);
    const all = group.querySelector("input[data-group]");
    const on = boxes.filter((box) => box.checked).length;
    all.checked = on === boxes.length;
    all.indeterminate = on > 0 && on < boxes.length;
    group.querySelector("[data-count]").textContent = `${on} of ${boxes.length}`;
  }
}
