// The appearance is kept in a cookie, so that the server writes it into the page and nothing flashes on load.
const A_YEAR = 365 * 24 * 3600;

export function startTheme() {
  document.getElementById("theme-switch")?.addEventListener("change", (event) => choose(event.target.value));
}

function choose(theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    document.cookie = "varloom_theme=; path=/; max-age=0; samesite=lax";
  } else {
    document.documentElement.dataset.theme = theme;
    document.cookie = `varloom_theme=${theme}; path=/; max-age=${A_YEAR}; samesite=lax`;
  }
}
