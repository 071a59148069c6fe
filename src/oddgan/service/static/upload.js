/** Sending files in parts of bounded size, so that what is bad with one costs the others nothing. */

export const LIMIT = { files: 16, bytes: 8 * 2 ** 20 };
const TRIES = 6;
const LONGEST_WAIT = 10;

/** Tell tables from images by their names. */
export function isTable(file) {
  return /\.(csv|parquet|pq)$/i.test(file.name);
}

/** Cut a list of files into parts; a table goes alone. */
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
 * Send files part by part. A part that is refused is halved until the bad file stands alone.
 * @param {File[]} files
 * @param {(part: File[]) => Promise<Object>} send
 * @param {{scored: Function, refused: Function}} tell called for each part
 * @param {AbortSignal} signal
 * @param {{files: number, bytes: number}} limit of one part
 * @returns {Promise<void>} rejects where going on makes no sense: cancelled, no answer, no token
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

/** Ask again while the service has too much to do. */
async function patiently(ask, signal) {
  for (let left = TRIES - 1; ; left--) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || ![429, 503].includes(error.status)) throw error;
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

/** Return the files of a drop, those in folders included, each with its `path`. */
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
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(below))).flat();
}
