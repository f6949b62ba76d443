// Loads the same video by a new link in a second element, at the current position, so that it can replace the first one
// without an interruption.

const TIMEOUT = 10_000; // milliseconds
const LEAD = 0.4; // seconds that a seek may take
const TOLERANCE = 0.2; // seconds
const ATTEMPTS = 3; // the person may seek meanwhile

/** Returns an element behind *first* that plays *url* at the same position, or null if that fails. */
export async function loadStandby(first, url) {
  const second = first.cloneNode();
  Object.assign(second, { muted: true, inert: true, volume: first.volume, src: url });
  // Inside the page: an element outside it has no decoded picture to show at once.
  first.after(second);
  try {
    await nextEvent(second, "loadedmetadata");
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await synchronise(first, second);
      if (Math.abs(first.currentTime - second.currentTime) < TOLERANCE && !first.seeking) return second;
      second.pause();
    }
  } catch {
    // The first element plays on for as long as it can.
  }
  release(second);
  return null;
}

/** Removes an element and closes its connection. */
export function release(element) {
  element.remove();
  element.pause();
  element.removeAttribute("src");
  element.load();
}

async function synchronise(first, second) {
  const rate = (second.playbackRate = first.playbackRate);
  const moves = !first.paused && first.readyState > 2;
  const seeked = nextEvent(second, "seeked");
  second.currentTime = first.currentTime + (moves ? LEAD * rate : 0);
  await seeked;
  if (second.readyState < 3) await nextEvent(second, "canplay");
  if (first.paused) return;
  const early = (second.currentTime - first.currentTime) / rate;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, early) * 1000));
  await second.play();
}

function nextEvent(element, event) {
  return new Promise((resolve, reject) => {
    element.addEventListener(event, resolve, { once: true });
    element.addEventListener("error", reject, { once: true });
    setTimeout(reject, TIMEOUT);
  });
}
