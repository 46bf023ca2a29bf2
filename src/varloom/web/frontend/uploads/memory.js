// Which uploads this browser has begun, so that a file that is chosen again goes on where it broke off.
const KEPT = "varloom-uploads";

/** A file is the same when its name, size and time of last change are. */
export function fingerprint(file) {
  return `${file.name}|${file.size}|${file.lastModified}`;
}

export function remember(file, id) {
  write({ ...read(), [fingerprint(file)]: id });
}

export function forget(id) {
  write(Object.fromEntries(Object.entries(read()).filter(([, kept]) => kept !== id)));
}

export function remembered(file) {
  return read()[fingerprint(file)] ?? null;
}

export function rememberedIds() {
  return new Set(Object.values(read()));
}

/**
 * Do something that only one tab may do with an upload at a time; null if another tab is at it. Browsers know such locks
 * on safe connections only; elsewhere two tabs take turns, and the server sees to it that the bytes come out right.
 */
export function alone(id, work) {
  if (!navigator.locks) return work();
  return navigator.locks.request(lockName(id), { ifAvailable: true }, (lock) => (lock ? work() : null));
}

/** The uploads that some tab is sending. */
export async function idsBeingSent() {
  const { held } = (await navigator.locks?.query()) ?? { held: [] };
  return new Set(held.map(({ name }) => name));
}

export const lockName = (id) => `varloom-upload-${id}`;

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function write(uploads) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(uploads));
  } catch {
    // Without storage an upload still goes on after a broken line, only not after a reload.
  }
}
