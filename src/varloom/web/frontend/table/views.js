// Views: filters, sort order and columns that are kept by name for the account, and go with any table.
import { fetchJson } from "./api.js";
import { readView, writeView } from "./query.js";
import { say } from "./saying.js";

export function startViews({ query }) {
  const menu = document.getElementById("views-menu");
  const list = document.getElementById("views-list");
  const form = document.getElementById("views-form");
  const refusal = menu.querySelector("[data-form-refusal]");
  let views = [];

  menu.addEventListener("toggle", ({ newState }) => newState === "open" && run(load));
  if (menu.matches(":popover-open")) run(load); // opened while the page was still starting
  list.addEventListener("click", ({ target }) => {
    const view = views.find(({ id }) => id === target.closest("[data-view]")?.dataset.view);
    if (!view) return;
    if (target.closest("[data-remove]")) return run(() => remove(view));
    menu.hidePopover();
    query.change({ ...readView(view.query), page: 0 });
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => save(form.elements.name.value.trim()));
  });
  form.elements.name.addEventListener("input", () => {
    form.querySelector("button").textContent = named(form.elements.name.value.trim()) ? "Replace" : "Save";
  });

  async function run(action) {
    refusal.hidden = true;
    try {
      await action();
    } catch (error) {
      refusal.querySelector("div").textContent = error.message;
      refusal.hidden = false;
    }
  }

  async function load() {
    ({ views } = await fetchJson("/api/v1/views", {}));
    draw();
  }

  async function save(name) {
    const content = { name, query: writeView(query.state) };
    const known = named(name);
    const [path, method] = known ? [`/api/v1/views/${known.id}`, "PATCH"] : ["/api/v1/views", "POST"];
    await fetchJson(path, {}, undefined, { method, content });
    form.reset();
    form.querySelector("button").textContent = "Save";
    await load();
    say(`The view ${name} was saved.`);
  }

  async function remove({ id, name }) {
    await fetchJson(`/api/v1/views/${id}`, {}, undefined, { method: "DELETE" });
    await load();
    form.elements.name.focus();
    say(`The view ${name} was deleted.`);
  }

  function named(name) {
    return views.find((view) => view.name.toLowerCase() === name.toLowerCase());
  }

  function draw() {
    const template = document.getElementById("view-template").content.firstElementChild;
    const now = writeView(query.state);
    const items = views.map((view) => {
      const item = template.cloneNode(true);
      item.dataset.view = view.id;
      const open = item.querySelector("[data-open]");
      open.textContent = view.name;
      if (view.query === now) open.setAttribute("aria-current", "true");
      item.querySelector("[data-remove]").setAttribute("aria-label", `Delete the view ${view.name}`);
      return item;
    });
    list.replaceChildren(...items);
    document.getElementById("views-none").hidden = items.length > 0;
  }
}
