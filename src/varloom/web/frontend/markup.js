// htmx, and the rules by which new markup from the server replaces old markup: nodes are kept and changed in place, so
// that focus, selection and what the reader opened stay as they are.
import htmx from "htmx.org/dist/htmx.esm.js";

htmx.registerExtension("varloom-morph", {
  // Whether a `details` is open is the reader's choice, not the server's.
  htmx_before_morph_attr: (element, change) => !(change.attrName === "open" && element.tagName === "DETAILS"),
});

// A search stands in the address as well, so that a reload and a bookmark show the same list.
document.addEventListener("htmx:after:swap", ({ detail }) => {
  const field = detail.ctx?.sourceElement;
  if (!field?.matches?.("[data-query-field]")) return;
  const query = field.value ? `?${new URLSearchParams({ [field.name]: field.value })}` : "";
  history.replaceState(null, "", location.pathname + query);
});

/** Change `element` in place until it is what `html` says. */
export function morph(element, html) {
  htmx.swap({ target: element, sourceElement: element, text: html, swap: "outerMorph" });
}

/** Let htmx see new nodes that were added by hand. */
export function activate(element) {
  htmx.process(element);
}
