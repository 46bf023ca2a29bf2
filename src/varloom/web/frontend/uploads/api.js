// What the dialog asks of the server, beside the bytes themselves.
const BASE = "/api/v1/uploads";
const MANIFESTS = "/api/v1/manifests";
const TEXT_BODY = { "Content-Type": "text/csv" };
const JSON_BODY = { "Content-Type": "application/json" };
const URLS_AT_ONCE = 100;
const LONGEST_URL = 8193; // one more than any that is taken: the server says that it is too long
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

/** What a job would wait for, by `ENGINE:CALLER`; nothing if the server does not say. */
export async function engines() {
  const { body } = await ask("GET", "/api/v1/engines");
  return body?.waits ?? null;
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
    headers: JSON_BODY,
    body: JSON.stringify({ sample_name, options }),
  });
}

/** What each of these texts is as a URL: {sources, stored} in the same order, or {error}. No source is asked. */
export async function lookAtUrls(texts) {
  const sources = [];
  let stored = 0;
  for (let at = 0; at < texts.length; at += URLS_AT_ONCE) {
    const urls = texts.slice(at, at + URLS_AT_ONCE).map((text) => text.slice(0, LONGEST_URL));
    const { body, error } = await ask("POST", "/api/v1/sources/preflight", { headers: JSON_BODY, body: JSON.stringify({ urls }) });
    if (error) return { error };
    sources.push(...body.sources);
    stored = body.stored_credentials;
  }
  return { sources, stored };
}

/** Create the job of a URL, or of several that are one sample's reads: {body} or {error}. A key makes no second one. */
export function createJob(urls, { sample_name, ...options }, key) {
  const source = urls.length > 1 ? { source_urls: urls } : { source_url: urls[0] };
  return ask("POST", "/api/v1/jobs", {
    headers: { ...JSON_BODY, "Idempotency-Key": key },
    body: JSON.stringify({ ...source, sample_name, options }),
  });
}

/** What the lines of a manifest would be: {body} or {error}. Nothing is created. */
export const lookAtManifest = (file) => ask("POST", `${MANIFESTS}/preflight`, { headers: TEXT_BODY, body: file });

/** Create the jobs of a manifest, all or none: {body} or {error}. The same key never makes a second set. */
export function createManifestJobs(file, { skip_faulty: skip }, key) {
  return ask("POST", `${MANIFESTS}?skip_faulty=${skip}`, { headers: { ...TEXT_BODY, "Idempotency-Key": key }, body: file });
}

export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(method, url, { headers = {}, body } = {}) {
  const response = await fetch(url, { method, body, headers: { Accept: "application/json", ...headers } }).catch(() => null);
  if (!response) return { error: UNREACHABLE };
  const text = await response.text().catch(() => "");
  if (response.ok) return { response, body: parsed(text) };
  return { error: refusal(response.status, text) };
}

/** What an answer that refuses something says: {status, title, detail, place, resolution, problems}. */
export function refusal(status, text) {
  if (status === 401) return { ...ENDED, status };
  const { title = `The server answered ${status}`, detail, line, excerpt, resolution, code, problems } = parsed(text) ?? {};
  return { status, code, title, detail, line, excerpt, resolution, problems };
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
