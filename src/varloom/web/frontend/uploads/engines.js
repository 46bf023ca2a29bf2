// Whether the chosen engine and caller can be had now, by what the connected workers tell: else the job waits for one.
import { engines } from "./api.js";

/** Tell below the choices of an entry of reads when no worker can take it now, and again at each change. */
export async function watchEngines(entry) {
  const note = entry.find("[data-engine-waits]");
  if (note === null || note.dataset.watched) return;
  note.dataset.watched = "true";
  const chosen = ["engine", "caller"].map((name) => entry.field(name));
  const waits = await engines();
  const show = () => {
    const told = waits[chosen.map((field) => field.value).join(":")];
    entry.find("[data-engine-text]").textContent = told ? `The job can be sent. ${told}` : "";
    note.hidden = !told;
  };
  for (const field of chosen) field.addEventListener("change", show);
  show();
}
