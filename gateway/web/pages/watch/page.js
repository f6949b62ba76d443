// What the page was told, in the person's language, and how elements are made: never from markup.

import { icon } from "./icons.js";

export const { recording, texts } = JSON.parse(document.getElementById("told").textContent);

/** A text of the page, with its {gaps} filled. */
export function say(key, gaps = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (gap, name) => gaps[name] ?? gap);
}

/** An element. Attributes in `on` are listeners; text children stay text. */
export function element(tag, { on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  made.append(...children);
  return made;
}

/** A button with a picture, none for an empty *shape*, and a name. */
export function button(shape, name, press, more = {}) {
  const made = element("button", { type: "button", "aria-label": name, title: name, on: { click: press }, ...more });
  if (shape) made.append(icon(shape));
  return made;
}

/** Another picture and name for a button. */
export function rename(made, shape, name) {
  if (made.title === name) return;
  made.replaceChildren(icon(shape));
  made.title = name;
  made.setAttribute("aria-label", name);
}
