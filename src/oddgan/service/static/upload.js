/** Sending files in parts of limited size, so that a bad file does not affect the others. */

export const LIMIT = { files: 16, bytes: 8 * 2 ** 20 };
const TRIES = 6;
const LONGEST_WAIT = 10;

/** Tell tables from images by their names. */
export function isTable(file) {
  return /\.(csv|parquet|pq)$/i.test(file.name);
}

/** Split a list of files into parts; each table is its own part. */
export function parts(files, limit = LIMIT) {
  const cut = [];
  let bytes = 0;
  for (const file of files) {
    const last = cut.at(-1);
    const full = !last || last.length >= limit.files || bytes + file.size > limit.bytes;
    if (full || isTable(file) || isTable(last[0])) {
      cut.push([file]);
      bytes = file.size;
    } else {
      last.push(file);
      bytes += file.size;
    }
  }
  return cut;
}

/**
 * Send files part by part. A refused part is halved until the bad file is alone.
 * @param {File[]} files
 * @param {(part: File[]) => Promise<Object>} send
 * @param {{scored: Function, refused: Function}} tell called for each part
 * @param {AbortSignal} signal
 * @param {{files: number, bytes: number}} limit of one part
 * @returns {Promise<void>} rejects if continuing makes no sense: cancelled, no response, no token
 */
export async function upload(files, send, tell, signal, limit = LIMIT) {
  const waiting = parts(files, limit).reverse();
  while (waiting.length) {
    signal.throwIfAborted();
    const part = waiting.pop();
    try {
      tell.scored(part, await patiently(() => send(part), signal));
    } catch (error) {
      if (!(error.status > 0) || error.status === 401) throw error;
      if (part.length === 1) tell.refused(part, error);
      else waiting.push(...halves(part).reverse());
    }
  }
}

function halves(part) {
  const middle = Math.ceil(part.length / 2);
  return [part.slice(0, middle), part.slice(middle)];
}

/** Retry while the service is busy. */
async function patiently(ask, signal) {
  for (let retries = TRIES - 1; ; retries--) {
    try {
      return await ask();
    } catch (error) {
      if (retries === 0 || ![429, 503].includes(error.status)) throw error;
      await pause(Math.min(error.wait, LONGEST_WAIT), signal);
    }
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Return the dropped files, also those in folders, each with its `path`. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(below))).flat();
}

async function below(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    file.path = entry.fullPath.replace(/^\//, "");
    return file.name.startsWith(".") ? [] : [file];
  }
  const reader = entry.createReader();
  const children = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) break;
    children.push(...batch);
  }
  return (await Promise.all(children.map(below))).flat();
}
