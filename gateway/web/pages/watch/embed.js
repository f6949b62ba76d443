// The messages of an embedded player (window.postMessage) with the portal that embeds it.

import { data } from "./dom.js";

const INTERVAL = 1000; // milliseconds
const SOURCE = { source: "valt-gateway", v: 1 };

/** Obeys messages of the origins in frame_ancestors and sends them the state, on change and each second of playing. */
export function connectPortal(clock, cameras) {
  if (parent === window) return;
  const state = () => ({
    ...SOURCE,
    type: "state",
    playing: clock.playing,
    seconds: clock.position,
    duration: clock.length,
    ended: clock.ended,
    error: cameras.every((camera) => camera.state === "failed") ? (cameras[0].problem?.code ?? "failed") : null,
  });
  // The parent's origin is unknown: a message for another origin is discarded by the browser.
  const send = () => data.portals.forEach((origin) => parent.postMessage(state(), origin));
  const actions = { play: () => clock.play(), pause: () => clock.pause(), seek: ({ seconds }) => clock.seek(seconds), state: send };
  addEventListener("message", ({ origin, source, data: message }) => {
    if (source !== parent || !data.portals.includes(origin)) return;
    if (message?.source !== SOURCE.source || message.v !== 1 || !Object.hasOwn(actions, message.type)) return;
    if (message.type === "seek" && !Number.isFinite(message.seconds)) return;
    actions[message.type](message);
  });
  clock.addEventListener("change", send);
  setInterval(() => clock.playing && send(), INTERVAL);
}
