// What stands beside the player: markers and comments, and the transcript; with both, as two tabs.

import { button, element, recording, text } from "./dom.js";
import { Captions } from "./captions.js";
import { Transcript } from "./transcript.js";

const LONG = 280; // characters of a comment above which its end is hidden at first

/** Adds captions and the transcript, if the recording has any, and the tabs. */
export function addTexts(clock, stage, controls, notices) {
  const side = document.querySelector(".side");
  for (const remark of side?.querySelectorAll(".remark") ?? []) if (remark.textContent.length > LONG) fold(remark);
  if (!recording.tracks.captions) return;
  const captions = new Captions(clock, stage, controls, notices);
  controls.toggleCaptions = () => captions.toggle();
  if (!side) return;
  const panel = element("section", { class: "transcript", "aria-label": text("transcript") });
  const transcript = new Transcript(panel, captions, clock);
  const moments = side.querySelector(".moments");
  side.append(panel);
  if (moments) addTabs(side, [[moments, recording.has_comments && recording.has_markers ? text("moments") : moments.querySelector("h2").textContent], [panel, text("transcript")]], () => transcript.reveal());
  else panel.prepend(element("h2", {}, text("transcript")));
}

/** Hides the end of a long comment behind a button. */
function fold(remark) {
  const isOpen = () => remark.classList.toggle("folded");
  const more = element("button", { type: "button", class: "unfold", "aria-expanded": "false" }, text("unfold"));
  more.addEventListener("click", () => more.setAttribute("aria-expanded", String(!isOpen())));
  remark.classList.add("folded");
  remark.closest("li").append(more);
}

/** Puts tabs above *panels*, pairs of a section and a name (WAI-ARIA: Tabs Pattern). The first one is shown. */
function addTabs(side, panels, onChange) {
  const tabs = panels.map(([panel, name], number) => {
    panel.id = `panel-${number}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", name);
    panel.removeAttribute("aria-labelledby");
    const tab = button("", name, () => choose(number), { role: "tab", id: `tab-${number}`, "aria-controls": panel.id });
    tab.removeAttribute("title");
    tab.append(name);
    return tab;
  });
  const choose = (chosen) => {
    for (const [number, tab] of tabs.entries()) {
      tab.setAttribute("aria-selected", String(number === chosen));
      tab.tabIndex = number === chosen ? 0 : -1;
      panels[number][0].hidden = number !== chosen;
    }
    onChange();
  };
  const list = element("div", { class: "tabs", role: "tablist" }, ...tabs);
  list.addEventListener("keydown", (event) => {
    const number = tabs.indexOf(document.activeElement);
    if (!/^Arrow(Left|Right)$/.test(event.key) || number < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (number + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length;
    choose(next);
    tabs[next].focus();
  });
  side.prepend(list);
  side.classList.add("tabbed");
  choose(0);
}
