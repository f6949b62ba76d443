// The same video by a fresh link, in an element of its own: while the first plays on, the second loads and finds the
// place, and then it takes over. Nobody sees the links change.

const PATIENCE = 10_000; // milliseconds
const AHEAD = 0.4; // seconds: what finding the place may take
const CLOSE = 0.2; // seconds
const ATTEMPTS = 3; // as somebody may seek meanwhile

/** An element behind *first* that plays *address* where that plays, or stands where it stands; null if it will not. */
export async function understudy(first, address) {
  const second = first.cloneNode();
  Object.assign(second, { muted: true, inert: true, src: address });
  // Behind the first, and not apart from the page: there it would have no picture to show when it takes over.
  first.after(second);
  try {
    await happens(second, "loadedmetadata");
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await meet(first, second);
      if (Math.abs(first.currentTime - second.currentTime) < CLOSE && !first.seeking) return second;
      second.pause();
    }
  } catch {
    // The first plays on while it can.
  }
  dismiss(second);
  return null;
}

/** Let go of an element, of its video and of its connection. */
export function dismiss(element) {
  element.remove();
  element.pause();
  element.removeAttribute("src");
  element.load();
}

async function meet(first, second) {
  const rate = (second.playbackRate = first.playbackRate);
  const moves = !first.paused && first.readyState > 2;
  const sought = happens(second, "seeked");
  second.currentTime = first.currentTime + (moves ? AHEAD * rate : 0);
  await sought;
  if (second.readyState < 3) await happens(second, "canplay");
  if (first.paused) return;
  const early = (second.currentTime - first.currentTime) / rate;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, early) * 1000));
  await second.play();
}

function happens(element, event) {
  return new Promise((resolve, reject) => {
    element.addEventListener(event, resolve, { once: true });
    element.addEventListener("error", reject, { once: true });
    setTimeout(reject, PATIENCE);
  });
}
