// Messages about actions that failed. They stay until they are closed.
import { refreshTimes } from "./times.js";

export const OFFLINE = "The server did not answer. Check that it runs, then try again.";

export function startToasts() {
  document.addEventListener("htmx:response:error", async (event) => {
    const { response, text } = event.detail.ctx;
    if (response.status === 401) location.assign("/login");
    else toast(problemText(text) ?? `The server answered ${response.status}.`);
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx?.request) toast(OFFLINE);
  });
  document.addEventListener("htmx:after:swap", (event) => refreshTimes(event.target ?? document));
}

export function toast(message) {
  const item = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  item.querySelector("p").textContent = message;
  item.querySelector("button").addEventListener("click", () => item.remove());
  document.getElementById("toasts").append(item);
}

/** What an RFC 9457 problem document says, in one text; null when it is none. */
export function problemText(body) {
  try {
    const problem = JSON.parse(body);
    return [problem.detail ?? problem.title, ...(problem.resolution ?? [])].filter(Boolean).join(" ") || null;
  } catch {
    return null;
  }
}
