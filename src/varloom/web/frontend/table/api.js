// Asks the API, and turns its problem documents into errors that can be shown.

/** A refusal by the server: `message` is for people, `problem` is the document (code, column, excerpt, ...). */
export class Refusal extends Error {
  constructor(problem, status) {
    super([problem.detail ?? problem.title ?? `The server answered ${status}.`].join(" "));
    this.problem = problem;
  }
}

/** The address with its parameters; those that are empty are left out. */
export function address(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return text ? `${path}?${text}` : path;
}

/** What the API answers; `content` is what is sent as JSON with another `method` than GET. */
export async function fetchJson(path, parameters, signal, { method = "GET", content } = {}) {
  const sent = content === undefined ? {} : { body: JSON.stringify(content) };
  const headers = { Accept: "application/json", ...(sent.body ? { "Content-Type": "application/json" } : {}) };
  let answer;
  try {
    answer = await fetch(address(path, parameters), { method, headers, signal, ...sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({ detail: "The server did not answer. Check that it runs, then try again." }, 0);
  }
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(body, answer.status);
  return body;
}
