// The inside of a column's header: its name, what it means, and the button that filters it.
import { holdsEntries } from "./entries.js";
import { kindOf } from "./expressions.js";
import { groupOf } from "./groups.js";

export class ColumnHeader {
  init({ column, title, onFilter }) {
    this.element = document.getElementById("column-header-template").content.firstElementChild.cloneNode(true);
    const name = this.element.querySelector("[data-name]");
    name.textContent = shortName(title);
    this.element.querySelector("[data-group]").textContent = groupOf(title).label === "Variant" ? "" : groupOf(title).label;
    this.element.title = [title.name, title.description, holdsEntries(title) ? "list of entries" : title.type].filter(Boolean).join("\n");
    const button = this.element.querySelector("button");
    button.hidden = !kindOf(title); // lists of lists and of entries cannot be asked
    button.setAttribute("aria-label", `Filter ${title.name}`);
    button.addEventListener("click", (event) => {
      event.stopPropagation(); // a click on the header sorts
      onFilter(title);
    });
    this.column = column;
  }

  getGui() {
    return this.element;
  }

  refresh() {
    return false;
  }
}

/** A header whose name is for screen readers only. */
export class HiddenHeader {
  init({ displayName }) {
    this.element = document.createElement("span");
    this.element.className = "visually-hidden";
    this.element.textContent = displayName;
  }

  getGui() {
    return this.element;
  }

  refresh() {
    return false;
  }
}

/** The name without what the column's group says already. */
export function shortName(column) {
  const prefix = groupOf(column).prefix;
  return prefix && column.name.startsWith(prefix) ? column.name.slice(prefix.length) : column.name;
}
