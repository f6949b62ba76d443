// Reads which tracks an MP4 file has (ISO/IEC 14496-12), with a few short range requests.

import { recording } from "./dom.js";

const MAX_BOXES = 16;
const MAX_INDEX = 8 * 1024 * 1024; // bytes of a moov box
const TIMEOUT = 30_000; // milliseconds
const [FIRST_PAUSE, LAST_PAUSE] = [1000, 32_000]; // milliseconds between two attempts
const UNREADABLE = new Error("not an MP4 file with ranges");

let last = Promise.resolve();

/** Runs *task* after those before it, so that short requests beside the films use one connection in all. */
export function inTurn(task) {
  const result = last.then(task);
  last = result.catch(() => {});
  return result;
}

/** Whether the browser says that it cannot show the picture of *tracks*, the result of readTracks(). */
export function isUnsupported(tracks) {
  const codec = tracks?.vide;
  return Boolean(codec) && document.createElement("video").canPlayType(`video/mp4; codecs="${codec}"`) === "";
}

/**
 * Returns {vide: codec, soun: codec} with an entry for each track type, null if the file cannot be read, or undefined if
 * a request failed and another one may succeed. Sends one request after the other: call it in turn.
 */
export async function readTracks(url) {
  // A script cannot follow a redirect to another site.
  if (recording.delivery === "redirect") return null;
  try {
    let offset = 0;
    for (let count = 0; count < MAX_BOXES; count++) {
      const head = new DataView(await range(url, offset, 16));
      const [type, size] = [name(head, 4), head.getUint32(0) === 1 ? Number(head.getBigUint64(8)) : head.getUint32(0)];
      if (size < 8) return null;
      if (type === "moov") return size > MAX_INDEX ? null : tracks(new DataView(await range(url, offset, size)));
      offset += size;
    }
  } catch (error) {
    return error === UNREADABLE || error instanceof RangeError ? null : undefined;
  }
  return null;
}

/** Like readTracks(), in turn, and again for a minute while requests fail. */
export async function readTracksPatiently(url) {
  for (let pause = FIRST_PAUSE; ; pause *= 2) {
    const tracks = await inTurn(() => readTracks(url));
    if (tracks !== undefined || pause > LAST_PAUSE) return tracks;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function range(url, offset, length) {
  const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
  const response = await fetch(url, { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
  if (response.status !== 206) {
    await response.body?.cancel();
    // Ranges are not supported, or the file ends before; anything else may be temporary.
    throw response.ok || response.status === 416 ? UNREADABLE : new Error("refused");
  }
  return response.arrayBuffer();
}

function tracks(moov) {
  const result = {};
  for (const trak of children(moov, 8, moov.byteLength)) {
    if (trak.type !== "trak") continue;
    const mdia = find(moov, trak, "mdia");
    const handler = mdia && find(moov, mdia, "hdlr");
    const stsd = ["minf", "stbl", "stsd"].reduce((box, type) => box && find(moov, box, type), mdia);
    if (handler && stsd) result[name(moov, handler.start + 8)] = name(moov, stsd.start + 12);
  }
  return result;
}

function* children(view, start, end) {
  for (let offset = start; offset + 8 <= end; ) {
    const size = view.getUint32(offset);
    if (size < 8) return;
    yield { type: name(view, offset + 4), start: offset + 8, end: Math.min(end, offset + size) };
    offset += size;
  }
}

function find(view, box, type) {
  return [...children(view, box.start, box.end)].find((child) => child.type === type);
}

function name(view, offset) {
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(offset + index)));
}
