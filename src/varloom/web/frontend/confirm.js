// Questions before something is removed: our own dialog instead of the browser's.
export function startConfirm() {
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    event.preventDefault();
    ask(ctx.confirm, ctx.sourceElement.dataset).then((yes) => (yes ? issueRequest() : dropRequest()));
  });
}

/** Ask by our own dialog: resolves to whether the answer is yes. */
export function ask(text, { confirmTitle, confirmYes }) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-title").textContent = confirmTitle;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = confirmYes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
