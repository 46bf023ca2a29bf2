// Whether the chosen engine and caller can be had now, by what the connected workers tell: else the job waits for one.
import { engines } from "./api.js";

const INTERVAL = 3000; // milliseconds

/** Tell below the choices of an entry of reads when no worker can take it now, as long as that is so. */
export async function watchEngines(entry) {
  const note = entry.find("[data-engine-waits]");
  if (note === null || note.dataset.watched) return;
  note.dataset.watched = "true";
  const chosen = ["engine", "caller"].map((name) => entry.field(name));
  let waits = {};
  const show = () => {
    const told = waits[chosen.map((field) => field.value).join(":")];
    entry.find("[data-engine-text]").textContent = told ? `The job can be sent. ${told}` : "";
    note.hidden = !told;
  };
  const look = async () => {
    waits = (await engines()) ?? waits;
    show();
  };
  for (const field of chosen) {
    field.addEventListener("change", () => {
      show();
      look();
    });
  }
  await look();
  while (note.isConnected) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    if (!note.hidden && !document.hidden) await look(); // the worker may have come meanwhile
  }
}
