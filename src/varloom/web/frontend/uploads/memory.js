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
