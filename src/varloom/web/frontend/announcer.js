// The one live region of the page. What is said within a moment is said together, of each job only the last, and a crowd
// is counted: whoever listens is told of the end of a hundred jobs in one sentence.
const MOMENT = 400;
const MOST = 3;

let waiting = new Map(); // by what it is of: {text, kind}
let timer;

/** Say a text. What was to be said `of` the same thing is dropped; `kind` groups those that are counted when there are many. */
export function say(text, { of = text, kind = "" } = {}) {
  waiting.delete(of);
  waiting.set(of, { text, kind });
  timer ??= setTimeout(speak, MOMENT);
}

function speak() {
  const told = [...waiting.values()];
  waiting = new Map();
  timer = undefined;
  const region = document.getElementById("announcer");
  if (region) region.textContent = told.length > MOST ? summary(told) : told.map(({ text }) => text.replace(/\.$/, "")).join(". ");
}

function summary(told) {
  const counts = new Map();
  for (const { kind } of told) if (kind) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const parts = [...counts].map(([kind, count]) => `${count} ${kind}`);
  return `${told.length} changes: ${parts.join(", ")}`;
}
