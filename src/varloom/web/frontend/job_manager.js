// The drawer on the right. It does not block the page: a table can be read while a job is watched.
const KEPT = "varloom-job-manager";

let drawer;
let button;
let returnFocusTo;

export function startJobManager() {
  drawer = document.getElementById("job-manager");
  button = document.getElementById("jobs-button");
  button.addEventListener("click", () => (drawer.hidden ? openJobManager() : close()));
  document.getElementById("job-manager-close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !drawer.hidden && !event.defaultPrevented && !overlayOpen()) close();
  });
  if (sessionStorage.getItem(KEPT) === location.pathname) show();
}

/** Open the Job Manager and move the focus into it; closing gives the focus back to `from`. */
export function openJobManager(from = button) {
  returnFocusTo = from;
  show();
  document.getElementById("job-manager-title").focus();
}

function show() {
  drawer.hidden = false;
  document.dispatchEvent(new CustomEvent("varloom:panel"));
  button.setAttribute("aria-expanded", "true");
  sessionStorage.setItem(KEPT, location.pathname); // a reload shows the drawer again, another page does not
}

function close() {
  const focusInside = drawer.contains(document.activeElement) || document.activeElement === document.body;
  drawer.hidden = true;
  button.setAttribute("aria-expanded", "false");
  sessionStorage.removeItem(KEPT);
  if (focusInside) (returnFocusTo?.isConnected ? returnFocusTo : button).focus();
}

function overlayOpen() {
  return document.querySelector("dialog[open], [popover]:popover-open") !== null;
}
