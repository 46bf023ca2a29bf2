// Logs in with name and password, or with the one-time token of a login link. The token stands in the URL's fragment, which is never sent to a
// server and so never stands in a log; it is taken out of the address bar before anything else happens.
import { withCode } from "./uploads/texts.js";

const form = document.getElementById("login-form");
const passwordForm = document.getElementById("password-form"); // where somebody has a password
const openid = document.getElementById("openid-login"); // where a provider is set
const linkBox = document.getElementById("link-login");
const wait = document.getElementById("login-wait");
const failure = document.getElementById("login-error");

useLink();
window.addEventListener("hashchange", useLink); // a link pasted into the address bar of this page does not load it anew
passwordForm?.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, password } = passwordForm.elements;
  logIn({ name: name.value, password: password.value }, password);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = tokenOf(form.elements.token.value);
  if (token) logIn({ token }, form.elements.token);
});

function useLink() {
  const token = tokenOf(location.hash);
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  logIn({ token }, form.elements.token);
}

/** The token of a link (`...#token=T` or `...#T`), or the text itself. */
function tokenOf(text) {
  return text.trim().split("#").at(-1).replace(/^token=/, "");
}

/** Log in with what proves who asks; `field` is emptied when it does not. */
async function logIn(proof, field) {
  failure.hidden = true;
  showForms(false);
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(proof),
      redirect: "manual",
    });
    if (answer.type === "opaqueredirect") return location.replace(nextPage());
    await explain(answer);
  } catch {
    show("The server did not answer.", "Check that it runs, then try again.");
  }
  showForms(true);
  field.value = "";
  if (linkBox && field === form.elements.token) linkBox.open = true;
  field.focus();
}

function showForms(shown) {
  wait.hidden = shown;
  for (const part of [openid, passwordForm, linkBox ?? form]) if (part) part.hidden = !shown;
}

/** The page that was asked for before the login, if it is one of this server's. */
function nextPage() {
  const next = new URLSearchParams(location.search).get("next") ?? "/samples";
  return /^\/(?![/\\])/.test(next) ? next : "/samples";
}

async function explain(answer) {
  const problem = await answer.json().catch(() => ({}));
  show(`${problem.title ?? "That did not work"}.`, [problem.detail, ...(problem.resolution ?? [])].filter(Boolean).join(" "));
}

function show(title, text) {
  failure.querySelector("[data-title]").textContent = title;
  withCode(failure.querySelector("[data-text]"), text);
  failure.hidden = false;
}
