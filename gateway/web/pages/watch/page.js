// What the page was told, in the person's language, and how elements are made: never from markup.

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

/** A button whose picture is *icon* and whose name is *name*. */
export function button(icon, name, press, more = {}) {
  const picture = element("span", { "aria-hidden": "true" }, icon);
  return element("button", { type: "button", "aria-label": name, title: name, on: { click: press }, ...more }, picture);
}

/** Another name, and picture, for a button. */
export function rename(made, icon, name) {
  if (made.title === name) return;
  made.firstChild.textContent = icon;
  made.title = name;
  made.setAttribute("aria-label", name);
}
