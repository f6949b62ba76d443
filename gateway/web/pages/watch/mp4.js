// Reads which tracks an MP4 file has (ISO/IEC 14496-12), with a few short range requests.

import { recording } from "./dom.js";

const MAX_BOXES = 16;
const MAX_INDEX = 8 * 1024 * 1024; // bytes of a moov box

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

/** Returns {vide: codec, soun: codec} with an entry for each track type, or null if the file cannot be read. */
export function readTracks(url) {
  return inTurn(() => read(url));
}

async function read(url) {
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
  } catch {
    // Not MP4, not allowed, or no connection.
  }
  return null;
}

async function range(url, offset, length) {
  const response = await fetch(url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` }, cache: "no-store" });
  if (response.status !== 206) {
    await response.body?.cancel();
    throw new Error("no range");
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
