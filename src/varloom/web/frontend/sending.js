// Sends one file to the API. XMLHttpRequest, because `fetch` cannot tell how much of a body has been sent.
const WINDOW = 2_000; // the rate is that of the last two seconds

/** Returns {answer, abort}. `answer` resolves to {job}, {error: {title, detail, resolution}} or {aborted: true}. */
export function sendFile(file, options, onProgress) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve) => {
    request.addEventListener("load", () => resolve(read(request)));
    request.addEventListener("error", () => resolve({ error: unreachable }));
    request.addEventListener("abort", () => resolve({ aborted: true }));
  });
  const rate = rateOf();
  request.upload.addEventListener("progress", (event) => {
    onProgress({ sent: event.loaded, total: event.total, rate: rate(event.loaded) });
  });
  request.open("POST", "/api/v1/jobs");
  request.setRequestHeader("Accept", "application/json");
  request.send(formOf(file, options));
  onProgress({ sent: 0, total: file.size, rate: 0 });
  return { answer, abort: () => request.abort() };
}

// The options stand before the file, so that the server knows them before the bytes arrive.
function formOf(file, options) {
  const form = new FormData();
  form.append("sample_name", options.sample_name);
  if (options.assembly) form.append("assembly", options.assembly);
  if (options.split_by_sample) form.append("split_by_sample", "true");
  form.append("file", file, file.name);
  return form;
}

const unreachable = {
  title: "The upload broke off",
  detail: "The connection to the server was lost before the whole file had arrived.",
  resolution: ["Check that the server runs and that the file still exists, then upload it again."],
};

function read(request) {
  let body;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    body = {};
  }
  if (request.status >= 200 && request.status < 300) return { job: body };
  if (request.status === 401) {
    return { error: { title: "Your session has ended", detail: "", resolution: ["Log in again in another tab, then upload once more."] } };
  }
  const { title = `The server answered ${request.status}`, detail, resolution } = body;
  return { error: { title, detail, resolution } };
}

function rateOf() {
  let marks = [{ at: performance.now(), sent: 0 }];
  return (sent) => {
    const now = performance.now();
    marks = [...marks.filter((mark) => now - mark.at < WINDOW), { at: now, sent }];
    const first = marks[0];
    return now > first.at ? ((sent - first.sent) * 1000) / (now - first.at) : 0;
  };
}
