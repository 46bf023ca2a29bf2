// What changed, for those who cannot see it: the page has one live region, so that nothing is said over something else.
const MOMENT = 50; // milliseconds after which a region that was moved is heard

export function say(text) {
  const region = document.getElementById("announcer");
  if (!text || region.textContent === text) return;
  // What lies outside of an open dialog is out of reach, the live region as well.
  const dialog = document.querySelector("dialog[open]");
  if (dialog && !dialog.contains(region)) {
    dialog.append(region);
    dialog.addEventListener("close", () => document.body.append(region), { once: true });
  }
  setTimeout(() => (region.textContent = text), MOMENT);
}
