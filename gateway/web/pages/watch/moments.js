// Markers and comments: a list beside or below the player that follows the position, and keys for previous and next.

import { linkTo } from "./position.js";
import { button, recording, showPlayer, text } from "./dom.js";

/** Returns the moments, sorted by time: {seconds, name, color, item}; item is the list entry, null in a frame. */
export function readMoments() {
  const items = document.querySelectorAll(".markers li");
  return recording.moments.map((moment, number) => ({ ...moment, item: items[number] ?? null }));
}

/** Makes the list's links seek, adds buttons that copy a link, and marks the current moment. */
export function followMoments(moments, clock, copy) {
  for (const { item, name, color, seconds } of moments) {
    const link = item?.querySelector("a");
    if (!link) continue;
    if (color) link.style.setProperty("--mark", color);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      clock.seek(seconds);
      showPlayer();
    });
    item.append(button("link", text("copy_to", { name }), () => copy(linkTo(seconds), seconds), { class: "copy" }));
  }
  let current = null;
  const refresh = () => {
    const next = moments.findLast((moment) => moment.seconds <= clock.position + 0.05) ?? null;
    if (next === current) return;
    current?.item?.firstElementChild.removeAttribute("aria-current");
    next?.item?.firstElementChild.setAttribute("aria-current", "true");
    current = next;
    const list = next?.item?.parentElement;
    if (clock.playing && list && list.scrollHeight > list.clientHeight) list.scrollTop = next.item.offsetTop - list.clientHeight / 3;
  };
  clock.addEventListener("time", refresh);
  clock.addEventListener("change", refresh);
}

/** Seeks to the previous (-1) or next (1) moment. Up to two seconds after a moment, "previous" is the one before it. */
export function seekToMoment(moments, clock, direction) {
  const before = clock.playing ? 2 : 0.1;
  const target = direction > 0 ? moments.find((moment) => moment.seconds > clock.position + 0.1) : moments.findLast((moment) => moment.seconds < clock.position - before);
  if (target) clock.seek(target.seconds);
  return target;
}
