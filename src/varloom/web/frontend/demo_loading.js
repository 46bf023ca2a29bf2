// Loads a file of the demonstration in one step, as an upload of it would be.
import { OFFLINE, problemText, toast } from "./toasts.js";

export function startDemoLoading() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-load-demo]");
    if (!button) return;
    button.disabled = true;
    try {
      const file = await fetch(button.dataset.loadDemo);
      const form = new FormData();
      form.set("annotate", button.dataset.annotate);
      form.set("file", await file.blob(), button.dataset.loadDemo.split("/").pop());
      const answer = await fetch("/api/v1/jobs", { method: "POST", body: form });
      if (answer.ok) return location.assign(`/jobs/${(await answer.json()).id}`);
      toast(problemText(await answer.text()) ?? `The server answered ${answer.status}.`);
    } catch {
      toast(OFFLINE);
    }
    button.disabled = false;
  });
}
