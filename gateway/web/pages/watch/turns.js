// Cameras beyond the connections that a browser has. Over HTTP/1.1 browsers open six to a host, and a film that loads
// occupies one: with more films the page would wait for itself. Four cameras play; the others show still pictures, which
// one connection refreshes in turn; the sixth is for everything else.

import { recording } from "./dom.js";
import { inTurn } from "./mp4.js";

const PLAYING = 4; // cameras
const PAUSE = 1000; // milliseconds between two pictures
const STALE = 1; // seconds of the film by which a still picture may differ from the clock

/** Whether the connections to the films are few: HTTP/2 has no such limit; the protocol of a redirect's target is unknown. */
function isLimited() {
  const [page] = performance.getEntriesByType("navigation");
  return recording.delivery === "redirect" || !/^h[23]/.test(page?.nextHopProtocol ?? "");
}

/** Lets at most four of the cameras play: the large one, the one that is heard, and those first in the page. */
export function takeTurns(cameras, clock, stage) {
  if (cameras.length <= PLAYING + 1 || !isLimited()) return;
  const pictures = new Map(); // camera: {at, seconds} of its still picture
  const share = () => {
    const first = [stage.large, clock.sounding, ...cameras.filter((camera) => !camera.parked), ...cameras];
    const playing = new Set([...new Set(first)].slice(0, PLAYING));
    for (const camera of cameras) {
      if (playing.has(camera) !== camera.parked) continue;
      if (camera.parked) camera.unpark();
      else camera.park();
    }
  };
  const next = () =>
    cameras
      .filter((camera) => camera.parked && camera.state === "idle" && camera.retryAt < performance.now() && !(Math.abs(pictures.get(camera)?.seconds - clock.position) < STALE))
      .sort((one, other) => (pictures.get(one)?.at ?? 0) - (pictures.get(other)?.at ?? 0))[0];
  const refresh = async () => {
    const camera = next();
    if (camera) {
      const seconds = clock.position;
      // Whatever becomes of one camera, the next one has its turn.
      await inTurn(() => camera.loadStill(seconds)).catch(() => {});
      pictures.set(camera, { at: performance.now(), seconds: camera.still.isShown ? seconds : NaN });
    }
    setTimeout(refresh, PAUSE);
  };
  share();
  for (const event of ["change", "preference"]) clock.addEventListener(event, share);
  refresh();
}
