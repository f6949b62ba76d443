// A still picture in place of a camera that does not load.

const TIMEOUT = 10_000; // milliseconds
const MAX_WIDTH = 480; // pixels of a small picture, on a screen with two pixels to each CSS pixel

export class Still {
  /** The picture is placed over *video*, which stays in the page. */
  constructor(video) {
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas, { className: "still", hidden: true });
    video.after(this.canvas);
  }

  /** Shows what *video* shows now, if anything. Returns whether it did. */
  draw(video) {
    if (video.readyState < 2 || !video.videoWidth) return false;
    const scale = Math.min(1, MAX_WIDTH / video.videoWidth);
    this.canvas.width = Math.round(video.videoWidth * scale);
    this.canvas.height = Math.round(video.videoHeight * scale);
    // Drawing the picture of another site is allowed; only reading it again would not be.
    this.canvas.getContext("2d").drawImage(video, 0, 0, this.canvas.width, this.canvas.height);
    this.canvas.hidden = false;
    return true;
  }

  /** Shows the picture at *seconds* of *video*, which loads. Returns whether it did. */
  async load(video, seconds) {
    if (!(await next(video, "loadeddata"))) return false;
    if (Math.abs(video.currentTime - seconds) > 0.1) video.currentTime = Math.min(seconds, Math.max(0, video.duration - 0.1) || 0);
    if (video.seeking && !(await next(video, "seeked"))) return false;
    return this.draw(video);
  }

  get isShown() {
    return !this.canvas.hidden;
  }

  clear() {
    this.canvas.hidden = true;
  }
}

/** Resolves to whether *event* came before an error or a timeout. */
function next(video, event) {
  return new Promise((resolve) => {
    const waits = new AbortController();
    const end = (came) => {
      clearTimeout(timer);
      waits.abort();
      resolve(came);
    };
    const timer = setTimeout(() => end(false), TIMEOUT);
    const { signal } = waits;
    video.addEventListener(event, () => end(true), { signal });
    video.addEventListener("error", () => end(false), { signal });
  });
}
