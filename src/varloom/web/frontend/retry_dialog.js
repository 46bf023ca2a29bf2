// The dialog in which the options of a failed or cancelled job are changed before it is tried again. The server renders
// the form; what it refuses is said in the dialog, which covers everything else.
import { problemText, toast, OFFLINE } from "./toasts.js";

let dialog;

export function startRetryDialog() {
  dialog = document.getElementById("retry");
  if (!dialog) return;
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-retry-changes]");
    if (opener) open(opener.dataset.retryChanges);
    if (event.target.closest("[data-close-retry]")) dialog.close();
  });
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.target);
  });
}

async function open(id) {
  const answer = await fetch(`/jobs/${id}/retry`).catch(() => null);
  if (!answer?.ok) return toast(OFFLINE);
  dialog.innerHTML = await answer.text();
  dialog.showModal();
  dialog.querySelector("select, input:not([type=hidden])").focus();
}

async function send(form) {
  const error = form.querySelector("[data-retry-error]");
  const button = form.querySelector(".button-main");
  error.hidden = true;
  button.disabled = true;
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(`/jobs/${form.dataset.retryForm}/retry`, {
    method: "POST",
    body,
    headers: { Accept: "application/json" },
  }).catch(() => null);
  button.disabled = false;
  if (answer?.ok) return dialog.close();
  if (answer?.status === 401) return location.assign("/login");
  error.querySelector("div").textContent = (answer && problemText(await answer.text())) ?? OFFLINE;
  error.hidden = false;
}
