// What the dialog asks of the server, beside the bytes themselves.
const BASE = "/api/v1/uploads";
const TUS = { "Tus-Resumable": "1.0.0" };
const BEGINNING = 256 << 10; // enough for most headers, and little on a slow line

const ENDED = { title: "Your session has ended", detail: "", resolution: ["Log in again in another tab, then go on here."] };
const UNREACHABLE = {
  title: "The server did not answer",
  detail: "",
  resolution: ["Check that it runs and that this machine is connected, then try again."],
};

export const uploadAddress = (id) => `${BASE}/${id}`;

/** What the beginning of the file tells, before anything is sent; null if the server does not say. */
export async function lookAt(file) {
  const where = new URLSearchParams({ name: file.name, size: file.size });
  const answer = await ask("POST", `${BASE}/preflight?${where}`, { body: file.slice(0, BEGINNING) });
  return answer.error ? null : answer.body;
}

/** Begin an upload: {id} or {error}. */
export async function begin(file, options, key) {
  const fields = { filename: file.name, ...options };
  const metadata = Object.entries(fields).map(([name, value]) => `${name} ${base64(String(value))}`);
  const headers = { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": metadata.join(","), "Idempotency-Key": key };
  const { error, response } = await ask("POST", BASE, { headers });
  return error ? { error } : { id: response.headers.get("Location").split("/").at(-1) };
}

/** The upload as the server has it: {body} or {error}. */
export const getUpload = (id) => ask("GET", uploadAddress(id));

/** Those that can be gone on with. */
export async function unfinished() {
  const { body } = await ask("GET", BASE);
  return body?.uploads ?? [];
}

export const cancelUpload = (id) => ask("DELETE", uploadAddress(id), { headers: TUS });

export function changeUpload(id, { sample_name, ...options }) {
  return ask("POST", `${uploadAddress(id)}/options`, {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sample_name, options }),
  });
}

async function ask(method, url, { headers = {}, body } = {}) {
  const response = await fetch(url, { method, body, headers: { Accept: "application/json", ...headers } }).catch(() => null);
  if (!response) return { error: UNREACHABLE };
  const text = await response.text().catch(() => "");
  if (response.ok) return { response, body: parsed(text) };
  return { error: refusal(response.status, text) };
}

/** What an answer that refuses something says: {status, title, detail, place, resolution}. */
export function refusal(status, text) {
  if (status === 401) return { ...ENDED, status };
  const { title = `The server answered ${status}`, detail, line, excerpt, resolution, code } = parsed(text) ?? {};
  return { status, code, title, detail, line, excerpt, resolution };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function base64(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}
