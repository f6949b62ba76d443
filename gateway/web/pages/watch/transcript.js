// The transcript: a list of lines beside or below the player that follows the position, and can be searched.

import { clockTime } from "./position.js";
import { button, element, showPlayer, text } from "./dom.js";
import { find, fold } from "./search.js";

const SETTLING = 300; // milliseconds of typing before the number of matches is announced

export class Transcript {
  /** Fills *panel* once *captions* has the cues. */
  constructor(panel, captions, clock) {
    Object.assign(this, { panel, clock, lines: [], current: null, isFollowing: true, timer: null });
    this.input = element("input", { type: "search", "aria-label": text("search_transcript"), placeholder: text("search_transcript") });
    this.input.addEventListener("input", () => this.#search());
    this.input.addEventListener("keydown", (event) => event.key === "Enter" && this.#seekToMatch(event.shiftKey ? -1 : 1));
    this.status = element("p", { class: "matches", role: "status" });
    this.list = element("ol", { class: "lines" });
    this.list.addEventListener("keydown", (event) => this.#onKey(event));
    for (const name of ["wheel", "touchmove", "pointerdown"]) this.list.addEventListener(name, () => this.#follow(false), { passive: true });
    this.follow = button("", text("follow"), () => this.#follow(true), { class: "follow", hidden: true });
    this.follow.append(text("follow"));
    panel.append(element("div", { class: "search-lines" }, this.input), this.status, this.list, this.follow);
    captions.addEventListener("cues", () => this.#fill(captions.cues));
    captions.addEventListener("failed", () => this.status.replaceChildren(text("transcript_failed")));
    if (captions.cues) this.#fill(captions.cues);
    for (const name of ["time", "change"]) clock.addEventListener(name, () => this.#refresh());
  }

  /** Scrolls to the current line, after the panel has been shown. */
  reveal() {
    this.#scroll();
  }

  #fill(cues) {
    let speaker = null;
    this.status.replaceChildren();
    for (const { seconds, author, words } of cues) {
      const spoken = element("bdi", {}, words);
      const name = author && author !== speaker ? [element("b", {}, element("bdi", {}, author)), " "] : [];
      speaker = author;
      const time = element("time", {}, clockTime(seconds));
      const line = element("button", { type: "button", tabindex: -1, on: { click: () => this.#seek(seconds) } }, time, element("span", {}, ...name, spoken));
      this.lines.push({ seconds, author, words, spoken, line, item: element("li", {}, line), matches: true });
    }
    this.list.replaceChildren(...this.lines.map(({ item }) => item));
    if (this.lines.length) this.lines[0].line.tabIndex = 0;
    this.#refresh();
  }

  /** Marks the line at the position, and scrolls to it unless the person has scrolled away or searches. */
  #refresh() {
    const next = this.lines.findLast(({ seconds }) => seconds <= this.clock.position + 0.05) ?? null;
    if (next === this.current) return;
    this.current?.line.removeAttribute("aria-current");
    next?.line.setAttribute("aria-current", "true");
    this.current = next;
    this.#scroll();
  }

  #scroll() {
    if (!this.isFollowing || !this.current || this.input.value || this.panel.hidden) return;
    const { list } = this;
    if (!list.contains(document.activeElement)) this.#makeReachable(this.current);
    list.scrollTop = this.current.item.offsetTop - list.clientHeight / 3;
  }

  #follow(isFollowing) {
    this.isFollowing = isFollowing;
    const scrolls = this.list.scrollHeight > this.list.clientHeight;
    this.follow.hidden = isFollowing || !scrolls;
    this.#scroll();
  }

  #seek(seconds) {
    this.clock.seek(seconds);
    showPlayer();
    this.#follow(true);
  }

  #search() {
    const wanted = fold(this.input.value.trim()).folded;
    for (const line of this.lines) {
      const places = find(line.words, wanted);
      line.matches = !wanted || places.length > 0 || find(line.author, wanted).length > 0;
      line.item.hidden = !line.matches;
      line.spoken.replaceChildren(...marked(line.words, places));
    }
    const matches = this.lines.filter((line) => line.matches);
    if (matches.length) this.#makeReachable(matches.includes(this.current) ? this.current : matches[0]);
    clearTimeout(this.timer);
    const report = () => (this.status.textContent = wanted ? text("matches", { count: matches.length }) : "");
    this.timer = setTimeout(report, SETTLING);
    if (!wanted) this.#follow(true);
  }

  /** Seeks to the next (1) or previous (-1) line that has what is searched for, and round. */
  #seekToMatch(direction) {
    const matches = this.lines.filter((line) => line.matches);
    if (!this.input.value.trim() || !matches.length) return;
    const at = this.clock.position;
    const target = direction > 0 ? (matches.find(({ seconds }) => seconds > at + 0.05) ?? matches[0]) : (matches.findLast(({ seconds }) => seconds < at - 0.05) ?? matches.at(-1));
    this.clock.seek(target.seconds);
    target.item.scrollIntoView({ block: "nearest" });
  }

  /** One line is in the tab order; the arrow keys, Home and End go to the others. */
  #onKey(event) {
    const visible = this.lines.filter((line) => line.matches);
    const index = visible.findIndex(({ line }) => line === document.activeElement);
    const targets = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: visible.length - 1 };
    if (index < 0 || !Object.hasOwn(targets, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const target = visible[targets[event.key]];
    if (!target) return;
    this.#follow(false);
    this.#makeReachable(target);
    target.line.focus();
  }

  #makeReachable(target) {
    for (const { line } of this.lines) if (line.tabIndex === 0) line.tabIndex = -1;
    target.line.tabIndex = 0;
  }
}

/** Returns *words* as text nodes and <mark> elements for *places*. */
function marked(words, places) {
  const nodes = [];
  let position = 0;
  for (const [start, end] of places) {
    nodes.push(words.slice(position, start), element("mark", {}, words.slice(start, end)));
    position = end;
  }
  return [...nodes, words.slice(position)];
}
