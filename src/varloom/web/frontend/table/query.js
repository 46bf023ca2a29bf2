// The query as it stands in the address:
// ?filter=...&filter=...&sort=-qual,position&columns=a,b&pinned=a&view=split&dataset=...&page=3
const EMPTY = { filters: [], sort: "", columns: null, pinned: null, dataset: "", view: "", page: 0 };

/** The query of this page, to a table by its id: `state`, `change(part)` and `listen(callback)`, which hears what changed. */
export function openQuery(dataset) {
  const listeners = [];
  const query = {
    dataset,
    state: read(),
    listen: (callback) => listeners.push(callback),
    change(part) {
      const before = query.state;
      query.state = { ...before, ...part };
      const target = location.pathname + write(query.state);
      if (target !== location.pathname + location.search) history.pushState(null, "", target);
      tell(before);
    },
  };
  window.addEventListener("popstate", () => {
    const before = query.state;
    query.state = read();
    tell(before);
  });
  return query;

  // Another table or view is another page. That is seen to here: whoever draws the rows may not listen yet.
  function tell(before) {
    const { dataset, view } = query.state;
    if (dataset !== before.dataset || view !== before.view) return location.reload();
    for (const callback of listeners) callback(query.state, before);
  }
}

/** Which table is asked, as every request says it, and how it is seen. */
export function asked({ dataset, state: { view } }) {
  return { dataset, view };
}

/** All filters as one expression of the filter language. */
export function joined(filters) {
  return filters.length > 1 ? filters.map((one) => `(${one})`).join(" AND ") : (filters[0] ?? "");
}

/** What a view keeps of the query, from the text that it is kept as. */
export function readView(text) {
  const given = new URLSearchParams(text);
  return {
    filters: given.getAll("filter").filter((filter) => filter.trim()),
    sort: given.get("sort") ?? EMPTY.sort,
    columns: given.has("columns") ? splitNames(given.get("columns")) : null,
    pinned: given.has("pinned") ? splitNames(given.get("pinned")) : null,
  };
}

/** The text that a view is kept as: all but which table and which page. */
export function writeView(state) {
  return write({ ...state, dataset: EMPTY.dataset, view: EMPTY.view, page: EMPTY.page });
}

function read() {
  const given = new URLSearchParams(location.search);
  return {
    ...readView(location.search),
    dataset: given.get("dataset") ?? EMPTY.dataset,
    view: given.get("view") === "split" ? "split" : EMPTY.view,
    page: Math.max(0, (Number.parseInt(given.get("page"), 10) || 1) - 1),
  };
}

function write({ filters, sort, columns, pinned, dataset, view, page }) {
  const parameters = new URLSearchParams();
  for (const filter of filters) parameters.append("filter", filter);
  if (sort) parameters.set("sort", sort);
  if (columns) parameters.set("columns", joinNames(columns));
  if (pinned) parameters.set("pinned", joinNames(pinned));
  if (view) parameters.set("view", view);
  if (dataset) parameters.set("dataset", dataset);
  if (page) parameters.set("page", page + 1);
  const text = parameters.toString();
  return text ? `?${text}` : "";
}

/** Names in one text; those with a comma, a quote or a leading minus stand in double quotes. */
export function joinNames(names) {
  return names.map((name) => (/[,"]|^[-\s]|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(",");
}

export function splitNames(text) {
  const names = [...text.matchAll(/"((?:[^"]|"")*)"|([^,]+)/g)];
  return names.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
}

/** The sort order as the API writes it, from [{name, descending}]. */
export function sortText(order) {
  return order.map(({ name, descending }) => (descending ? "-" : "") + joinNames([name])).join(",");
}

export function sortOrder(text) {
  const parts = [...text.matchAll(/(-?)(?:"((?:[^"]|"")*)"|([^,]+))/g)];
  return parts.map(([, minus, quoted, plain]) => ({ name: quoted?.replaceAll('""', '"') ?? plain, descending: minus === "-" }));
}
