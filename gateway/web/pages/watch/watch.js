// The watch page: introduces the cameras, the clock that keeps them in step, and what a person moves them with.

import { Camera } from "./camera.js";
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import { Keyboard } from "./keys.js";
import { Notices, Permission } from "./notices.js";
import { recording, say } from "./page.js";
import { asked, Memory } from "./place.js";
import { Stage } from "./stage.js";

const KEEP_EVERY = 5000; // milliseconds
const NEARLY_OVER = 5; // seconds; a place so near the end is not gone back to

const section = document.getElementById("watch");
const items = [...(section?.querySelectorAll(".camera") ?? [])];

const { lang } = document.documentElement;
const locales = [...navigator.languages.filter((locale) => locale.startsWith(lang)), lang];
for (const time of document.querySelectorAll("time[datetime*=Z]")) {
  time.textContent = new Date(time.dateTime).toLocaleString(locales, { dateStyle: "long", timeStyle: "short" });
}
if (items.length) watch();

function watch() {
  const notices = new Notices(section);
  const permission = new Permission(notices, () => clock);
  const views = items.map((item, number) => {
    const told = recording.cameras[number];
    return { item, camera: new Camera(item.querySelector("video"), told, permission.ask) };
  });
  const cameras = views.map((view) => view.camera);
  const clock = new Clock(cameras, recording.duration);
  const stage = new Stage(views, clock, notices);
  const keyboard = new Keyboard(section, clock, stage);
  keyboard.controls = new Controls(section, clock, stage, notices, keyboard.list);
  section.classList.add("live");
  // How long will the links be good that the page itself has loaded?
  if (recording.delivery === "redirect") cameras.forEach(permission.ask);
  begin(clock, stage, cameras);
  comeBack(permission, notices, cameras);
}

/** Where the address says, or where this browser was the last time; and remember it from then on. */
function begin(clock, stage, cameras) {
  const memory = new Memory(recording.recording);
  const kept = memory.read();
  const started = asked(new URL(location.href));
  clock.place = started ?? kept.place ?? 0;
  if (clock.length && started === null && clock.place > clock.length - NEARLY_OVER) clock.place = 0;
  clock.seek(clock.place);
  if (kept.rate) clock.speed(kept.rate);
  if (kept.muted) clock.mute(true);
  stage.show(cameras.find((camera) => camera.id === kept.large), false);

  const keep = () =>
    memory.keep({ place: clock.place, rate: clock.rate, muted: clock.muted, large: stage.large.id });
  setInterval(() => clock.playing && keep(), KEEP_EVERY);
  clock.addEventListener("change", keep);
  clock.addEventListener("kept", keep);
  addEventListener("pagehide", keep);
  addEventListener("hashchange", () => {
    const moment = asked(new URL(location.href));
    if (moment !== null) clock.seek(moment);
  });
}

/** Go on by itself when the network, or the person's session, is back. */
function comeBack(permission, notices, cameras) {
  addEventListener("offline", () => notices.keep(say("offline")));
  addEventListener("online", () => {
    notices.keep();
    notices.tell(say("online"));
    for (const camera of cameras) camera.again();
  });
  for (const camera of cameras) camera.addEventListener("loaded", () => notices.keep());
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden || !permission.refused) return;
    if ((await permission.ask(cameras[0])) === "yes") for (const camera of cameras) camera.again();
  });
}
