// Filters: a box for expressions, a form that writes them, and a chip for each one that is in force.
import { fetchJson } from "./api.js";
import { expression, kindOf, questionsOf } from "./expressions.js";
import { startSummary } from "./facets.js";
import { asked } from "./query.js";
import { say } from "./saying.js";

const number = new Intl.NumberFormat("en-US");

export function startFilters(table) {
  const { root, query } = table;
  const box = document.getElementById("filter-box");
  document.getElementById("filter-form").addEventListener("submit", (event) => {
    event.preventDefault();
    addFilter(table, box);
  });
  box.addEventListener("input", () => showRefusal(null));
  document.getElementById("filter-chips").addEventListener("click", (event) => chipClicked(event, table, box));
  root.addEventListener("rows", ({ detail }) => rowsCame(table, detail.total));
  root.addEventListener("refused", ({ detail }) => rowsRefused(detail));
  document.getElementById("rows-again").addEventListener("click", () => {
    showRefusal(null);
    table.loadAgain();
  });
  query.listen(() => showChips(query.state.filters));
  showChips(query.state.filters);
  startFilterForm(table);
}

async function addFilter(table, box) {
  const { base, query } = table;
  const text = box.value.trim();
  if (!text) return;
  try {
    await fetchJson(`${base}/count`, { ...asked(query), filter: text });
  } catch (error) {
    return showRefusal(error, text);
  }
  box.value = "";
  showRefusal(null);
  query.change({ filters: [...query.state.filters, text], page: 0 });
}

function chipClicked(event, { query }, box) {
  const chip = event.target.closest("[data-filter]");
  if (!chip) return;
  const text = chip.dataset.filter;
  query.change({ filters: query.state.filters.filter((one) => one !== text), page: 0 });
  if (event.target.closest("[data-edit]")) box.value = text;
  box.focus();
}

function showChips(filters) {
  const template = document.getElementById("filter-chip-template").content.firstElementChild;
  const chips = filters.map((text) => {
    const chip = template.cloneNode(true);
    chip.dataset.filter = text;
    chip.querySelector("[data-edit]").textContent = text;
    chip.querySelector("[data-edit]").setAttribute("aria-label", `Edit the filter ${text}`);
    chip.querySelector("[data-remove]").setAttribute("aria-label", `Remove the filter ${text}`);
    return chip;
  });
  const list = document.getElementById("filter-chips");
  list.replaceChildren(...chips);
  list.hidden = chips.length === 0;
}

let rowsMissing = false;

function rowsCame(table, count) {
  if (rowsMissing) showRefusal(null);
  showCount(table, count);
}

function rowsRefused(error) {
  showRefusal(error);
  rowsMissing = true;
  document.getElementById("rows-again").hidden = false;
}

function showCount({ root, query }, count) {
  const total = Number(root.dataset.total);
  const rows = total === 1 ? "row" : "rows";
  const text = query.state.filters.length
    ? `${number.format(count)} of ${number.format(total)} ${rows}`
    : `${number.format(total)} ${rows}`;
  const output = document.getElementById("row-count");
  if (output.textContent === text) return;
  output.textContent = text;
  say(text);
}

/** Why the server refused, under the box: the text, the code, and the place in the expression. */
function showRefusal(error, text = "") {
  const output = document.getElementById("filter-refusal");
  const box = document.getElementById("filter-box");
  rowsMissing = false;
  document.getElementById("rows-again").hidden = true;
  output.hidden = error === null;
  const { code, column } = error?.problem ?? {};
  box.setAttribute("aria-invalid", String(error !== null && (text !== "" || column !== undefined)));
  if (error === null) return;
  output.querySelector("[data-text]").textContent = error.message;
  output.querySelector("[data-code]").textContent = code ?? "";
  const place = output.querySelector("[data-place]");
  place.hidden = !column || !text;
  if (!place.hidden) {
    place.querySelector("[data-before]").textContent = text.slice(0, column - 1);
    place.querySelector("mark").textContent = text.slice(column - 1) || " ";
    box.focus();
    box.setSelectionRange(column - 1, text.length);
  }
}

function startFilterForm(table) {
  const dialog = document.getElementById("filter-dialog");
  const form = dialog.querySelector("form");
  const { column: columnField, question: questionField } = form.elements;
  const columnOf = () => table.columns.find(({ name }) => name === columnField.value);
  const summary = startSummary(table, {
    chosen: () => ask("among", []),
    ranged: (low, high) => ask("between", [low, high]),
  });
  const ask = (question, values) => {
    if (![...questionField.options].some(({ value }) => value === question)) return;
    questionField.value = question;
    offerValues(form, columnOf());
    [form.elements.value.value, form.elements.upper.value] = [values[0] ?? "", values[1] ?? ""];
  };
  const offer = (column) => {
    offerQuestions(form, column);
    summary.open(column);
  };
  const fill = () => {
    if (columnField.options.length) return;
    columnField.replaceChildren(...table.columns.filter(kindOf).map(({ name }) => new Option(name, name)));
  };
  columnField.addEventListener("change", () => offer(columnOf()));
  questionField.addEventListener("change", () => offerValues(form, columnOf()));
  form.addEventListener("submit", (event) => submitForm(event, table, dialog, columnOf(), summary.picked()));
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
  table.askFilter = (column) => {
    fill();
    form.reset();
    columnField.value = column.name;
    offer(column);
    dialog.querySelector("[data-form-refusal]").hidden = true;
    dialog.showModal();
    (form.elements.value.hidden ? questionField : form.elements.value).focus();
  };
  document.getElementById("add-filter").addEventListener("click", () => table.askFilter(table.columns.find(({ name }) => name === "position") ?? table.columns.find(kindOf)));
}

function offerQuestions(form, column) {
  form.elements.question.replaceChildren(...questionsOf(column).map(([value, text]) => new Option(text, value)));
  offerValues(form, column);
  document.getElementById("filter-column-about").textContent = column.description ?? "";
}

function offerValues(form, column) {
  const [, , values] = questionsOf(column).find(([value]) => value === form.elements.question.value);
  const numeric = kindOf(column) === "number";
  for (const [place, name] of ["value", "upper"].entries()) {
    const field = form.elements[name];
    field.hidden = place >= values;
    field.disabled = place >= values;
    field.required = place < values;
    field.inputMode = numeric ? "decimal" : "text";
  }
  document.getElementById("filter-and").hidden = values < 2;
}

async function submitForm(event, { base, query }, dialog, column, picked) {
  event.preventDefault();
  const { question, value, upper } = event.target.elements;
  const refusal = dialog.querySelector("[data-form-refusal]");
  const refuse = (text) => {
    refusal.hidden = false;
    refusal.querySelector("div").textContent = text;
  };
  if (question.value === "among" && picked.length === 0) return refuse("Choose one of the values below, or another condition.");
  const text = expression(column, question.value, question.value === "among" ? picked : [value.value, upper.value]);
  try {
    await fetchJson(`${base}/count`, { ...asked(query), filter: text });
  } catch (error) {
    return refuse(error.message);
  }
  dialog.close();
  query.change({ filters: [...query.state.filters.filter((one) => one !== text), text], page: 0 });
}
