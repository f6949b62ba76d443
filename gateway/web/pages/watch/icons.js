// Icons of the buttons, as outlines in a square of 24: no font has all of them on every system.

const OUTLINES = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h3v14H7zM14 5h3v14h-3z",
  back: "M11 6v12l-8-6zM20 6v12l-8-6z",
  forward: "M4 6v12l8-6zM13 6v12l8-6z",
  sound: "M4 9v6h4l5 4V5L8 9zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12",
  silence: "M4 9v6h4l5 4V5L8 9zM16.5 9.5l5 5M21.5 9.5l-5 5",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  picture: "M3 5h18v14H3zM12 12h6v4h-6z",
  still: "M4 7h4l2-2h4l2 2h4v12H4zM12 10a3 3 0 1 0 .01 0",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  exit: "M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5",
  help: "M9 9a3 3 0 1 1 4 2.8c-.7.3-1 .8-1 1.7v.5M12 17.5v.5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  repeat: "M6 17h11a3 3 0 0 0 3-3v-2M18 7H7a3 3 0 0 0-3 3v2M15 4l3 3-3 3M9 14l-3 3 3 3",
  captions: "M3 5h18v14H3zM7 11h5M15 11h2M7 15h2M12 15h5",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
};
const SVG = "http://www.w3.org/2000/svg";

/** Returns the icon *name* as an SVG element that screen readers ignore. */
export function icon(name) {
  const [picture, outline] = [document.createElementNS(SVG, "svg"), document.createElementNS(SVG, "path")];
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  outline.setAttribute("d", OUTLINES[name]);
  picture.append(outline);
  return picture;
}
