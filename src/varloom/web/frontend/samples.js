// The list of samples: name and tags are changed in a dialog; focus goes on to what replaces a row.
import { fetchJson } from "./table/api.js";
import { say } from "./table/saying.js";

const dialog = document.getElementById("sample-dialog");
const form = dialog.querySelector("form");
const refusal = dialog.querySelector("[data-form-refusal]");
let edited = null;

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-edit-sample]");
  if (button) edit(button);
  if (event.target.closest("#sample-dialog [data-close]")) dialog.close();
});

// What stands in the place of a deleted or restored row takes the focus that was on its button.
document.addEventListener("htmx:after:swap", () => {
  if (document.activeElement !== document.body) return;
  const next = document.querySelector(".sample-gone [data-focus]") ?? document.querySelector(".samples [data-focus]");
  next?.focus();
  say(next?.dataset.announce);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, tags } = form.elements;
  const content = { name: name.value, tags: tags.value.split(",").map((tag) => tag.trim()).filter(Boolean) };
  try {
    await fetchJson(`/api/v1/samples/${edited}`, {}, undefined, { method: "PATCH", content });
  } catch (error) {
    refusal.querySelector("div").textContent = error.message;
    refusal.hidden = false;
    const wrong = /tag/i.test(error.message) ? tags : name;
    wrong.setAttribute("aria-invalid", "true");
    wrong.focus();
    return;
  }
  dialog.close();
  document.body.dispatchEvent(new CustomEvent("varloom:completed"));
});

form.addEventListener("input", settle);

function settle() {
  refusal.hidden = true;
  for (const field of [form.elements.name, form.elements.tags]) field.setAttribute("aria-invalid", "false");
}

function edit({ dataset }) {
  edited = dataset.editSample;
  form.elements.name.value = dataset.name;
  form.elements.tags.value = dataset.tags;
  settle();
  dialog.showModal();
  form.elements.name.select();
}
