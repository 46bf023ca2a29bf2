// What the page of the jobs shows stands in its address. The server finds and renders; here the address follows, so that
// a reload, a bookmark and the way back show the same.
import { say } from "./announcer.js";

export function startJobFilter() {
  const form = document.getElementById("job-filter");
  if (!form) return;
  form.elements.zone.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.sourceElement !== form) return;
    history.replaceState(null, "", addressOf(form));
    const shown = document.querySelectorAll("#job-results [data-job]").length;
    say(shown === 1 ? "1 job shown" : `${shown} jobs shown`, { of: "list" });
    document.dispatchEvent(new CustomEvent("varloom:list"));
  });
}

function addressOf(form) {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) asked.set(name, value);
  if (!asked.has("from") && !asked.has("to")) asked.delete("zone");
  return asked.size ? `${location.pathname}?${asked}` : location.pathname;
}
