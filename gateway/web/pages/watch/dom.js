// The page's data, texts in the person's language, and functions that create elements, never from markup.

import { icon } from "./icons.js";

export const data = JSON.parse(document.getElementById("data").textContent);
export const { recording } = data;

/** Returns the text *key* with its {placeholders} filled in. */
export function text(key, values = {}) {
  return data.texts[key].replace(/\{(\w+)\}/g, (placeholder, name) => values[name] ?? placeholder);
}

const SECONDS = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "second", unitDisplay: "long" });

/** Returns *seconds* in words of the page's language: "1 second", "5 seconds". */
export function secondsText(seconds) {
  return SECONDS.format(seconds);
}

/** Scrolls the player into the window if it is outside, as on a phone, where the lists are below it. */
export function showPlayer() {
  document.getElementById("watch").scrollIntoView({ block: "nearest" });
}

/** Returns a new element. Attributes in `on` are listeners. Children that are strings stay text. */
export function element(tag, { on = {}, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false) node.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  node.append(...children);
  return node;
}

/** Returns a button with the icon *shape* (none if empty) and an accessible name. */
export function button(shape, name, press, more = {}) {
  const node = element("button", { type: "button", "aria-label": name, title: name, on: { click: press }, ...more });
  if (shape) node.append(icon(shape));
  return node;
}

/** Gives a button another icon and name. */
export function rename(node, shape, name) {
  if (node.title === name) return;
  node.replaceChildren(icon(shape));
  node.title = name;
  node.setAttribute("aria-label", name);
}
