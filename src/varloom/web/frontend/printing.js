// The buttons that print the page; how it looks on paper is for the styles to say.

export function startPrinting() {
  for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
}
