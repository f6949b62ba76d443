// The watch page: creates the cameras, the clock that keeps them synchronous, and the controls.

import { checkAccess } from "./access.js";
import { Camera } from "./camera.js";
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import { data, recording, text } from "./dom.js";
import { connectPortal } from "./embed.js";
import { Keyboard } from "./keys.js";
import { readMoments } from "./moments.js";
import { Notices } from "./notices.js";
import { Memory, positionOf } from "./position.js";
import { addTexts } from "./side.js";
import { Stage } from "./stage.js";
import { takeTurns } from "./turns.js";

const SAVE_INTERVAL = 5000; // milliseconds
const NEARLY_OVER = 5; // seconds; a stored position so near the end is not used
const RECHECK = 10_000; // milliseconds after a request that no answer came to
const FAST = 5000; // milliseconds to the first picture, below which the other cameras are loaded before playing

const section = document.getElementById("watch");
const items = [...(section?.querySelectorAll(".camera") ?? [])];
if (items.length) start();

function start() {
  const notices = new Notices(section);
  const access = { refused: false };
  let recheck = null;
  const check = async (camera) => {
    const result = await checkAccess(camera.path);
    // A temporary error says nothing about the person's session.
    if (result.verdict !== "later") access.refused = result.status === 401 || result.status === 403;
    if (result.linkLifetime !== undefined) camera.setLinkLifetime(result.linkLifetime);
    notices.showAccess(result, clock.position);
    clearTimeout(recheck);
    // Nothing else would take "No connection" away if the films go on playing.
    if (result.status === 0) recheck = setTimeout(() => check(camera), RECHECK);
    return result;
  };
  const views = items.map((item, number) => {
    return { item, camera: new Camera(item.querySelector("video"), recording.cameras[number], check) };
  });
  const cameras = views.map((view) => view.camera);
  const clock = new Clock(cameras, recording.duration);
  section.classList.add("live");
  document.body.classList.toggle("embedded", data.embedded);
  const stage = new Stage(section, views, clock, notices);
  const controls = new Controls(section, clock, stage, notices, readMoments());
  addTexts(clock, stage, controls, notices);
  new Keyboard(section, clock, stage, controls);
  stage.arrange();
  // The lifetime of the links that the page itself has requested is unknown.
  if (recording.delivery === "redirect") cameras.forEach(async (camera) => (await check(camera)).verdict === "later" && camera.renewSoon());
  restore(clock, stage, cameras);
  takeTurns(cameras, clock, stage);
  loadOthers(stage, cameras);
  recover(access, check, notices, cameras);
  connectPortal(clock, cameras);
  // A frame has no room for it above the player.
  if (data.embedded && data.notice) notices.announce(data.notice);
  connectMediaSession(clock, controls);
}

/** Starts at the position in the URL or the stored one, with the stored preferences, and stores them from then on. */
function restore(clock, stage, cameras) {
  const memory = new Memory(recording.recording);
  const stored = memory.read();
  const requested = positionOf(new URL(location.href));
  clock.position = requested ?? stored.position ?? 0;
  if (clock.length && requested === null && clock.position > clock.length - NEARLY_OVER) clock.position = 0;
  clock.seek(clock.position);
  if (stored.rate) clock.setRate(stored.rate);
  if (stored.volume !== undefined) clock.setVolume(stored.volume);
  if (stored.muted) clock.setMuted(true);
  stage.show(cameras.find((camera) => camera.id === stored.large), false);
  const sounding = cameras.find((camera) => camera.id === stored.sounding);
  if (sounding) clock.listenTo(sounding);

  // The response to a sign-out clears the storage, before this page is hidden.
  let leaves = false;
  document.addEventListener("submit", () => (leaves = true));
  const save = () =>
    !leaves &&
    memory.save({
      position: clock.position,
      rate: clock.rate,
      muted: clock.muted,
      volume: clock.volume,
      large: stage.large.id,
      ...(clock.chosen && { sounding: clock.sounding.id }),
    });
  setInterval(() => clock.playing && save(), SAVE_INTERVAL);
  clock.addEventListener("change", save);
  clock.addEventListener("preference", save);
  addEventListener("pagehide", save);
  addEventListener("hashchange", () => {
    const position = positionOf(new URL(location.href));
    if (position !== null) clock.seek(position);
  });
}

/** Loads the other cameras one after the other once the large one has a picture, unless the connection is slow. */
async function loadOthers(stage, cameras) {
  const { large } = stage;
  const startedAt = performance.now();
  await hasPicture(large);
  const { saveData = false } = navigator.connection ?? {};
  if (saveData || performance.now() - startedAt > FAST) return;
  for (const camera of cameras) {
    if (camera.state === "idle" && !camera.parked) {
      camera.load();
      await hasPicture(camera);
    }
  }
}

function hasPicture(camera) {
  if (camera.video.readyState >= 2 || camera.state === "failed") return Promise.resolve();
  return new Promise((resolve) => {
    // A seek takes the picture away for a moment, and "loadeddata" comes only once for a source.
    for (const event of ["loadeddata", "seeked"]) camera.video.addEventListener(event, resolve, { once: true });
    camera.addEventListener("state", () => ["failed", "retrying", "idle"].includes(camera.state) && resolve());
  });
}

/** Resumes when the network or the person's session is back. */
function recover(access, check, notices, cameras) {
  addEventListener("offline", () => notices.setStanding(text("offline")));
  addEventListener("online", () => {
    notices.setStanding();
    notices.announce(text("online"));
    for (const camera of cameras) camera.retry();
  });
  for (const camera of cameras) camera.addEventListener("loaded", () => notices.setStanding());
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden || !access.refused) return;
    if ((await check(cameras[0])).verdict === "allowed") for (const camera of cameras) camera.retry();
  });
}

/** Lock screens, headsets and media keys. */
function connectMediaSession(clock, controls) {
  const { mediaSession } = navigator;
  if (!mediaSession) return;
  mediaSession.metadata = new MediaMetadata({ title: recording.name ?? recording.recording, artist: recording.room ?? "" });
  for (const [action, handler] of Object.entries({
    play: () => clock.play(),
    pause: () => clock.pause(),
    seekbackward: ({ seekOffset }) => clock.seek(clock.position - (seekOffset ?? 10)),
    seekforward: ({ seekOffset }) => clock.seek(clock.position + (seekOffset ?? 10)),
    seekto: ({ seekTime }) => clock.seek(seekTime),
    previoustrack: () => controls.seekToMoment(-1),
    nexttrack: () => controls.seekToMoment(1),
  })) {
    try {
      mediaSession.setActionHandler(action, handler);
    } catch {
      // An action that this browser does not have.
    }
  }
  const report = () => {
    mediaSession.playbackState = clock.playing ? "playing" : "paused";
    if (!clock.length) return;
    const position = Math.min(clock.position, clock.length);
    mediaSession.setPositionState?.({ duration: clock.length, position, playbackRate: clock.rate });
  };
  clock.addEventListener("change", report);
}
