// Where the cameras go: one large picture, the others in columns at its right or in rows below it. Pure.

const THUMBNAIL = 16 / 9;
const MIN_WIDTH = 44; // CSS pixels: at least 24 high, as WCAG 2.2 requires of a target
const MAX_SHARE = 0.34; // of the width or height, for the small pictures
const STEPS = 24;
const WEIGHT = 0.3; // of a small picture's area compared with the large one's, as an exponent
const FULL_HEIGHT = 0.9; // of the possible height that the large picture keeps in full screen

/**
 * Returns {side, columns, rows, width, height, used} for *count* cameras in *width* × *height* CSS pixels.
 *
 * side is "right", "below", "over" (small pictures over the large one) or "none"; width and height are a small picture's;
 * used is the height that the layout needs. *aspect* is the large picture's. *bar* is the height of the bar in full
 * screen, which lies over the large picture alone; there the large picture is at least 90 % as high as it could be.
 */
export function arrange(count, width, height, aspect, bar = 0) {
  const others = count - 1;
  const alone = fit(aspect, width, height);
  if (others === 0) return { side: "none", columns: 0, rows: 0, width: 0, height: 0, used: alone.height };
  let best = null;
  for (const candidate of candidates(others, width, height - bar)) {
    const isRight = candidate.side === "right";
    const freeWidth = isRight ? width - candidate.columns * candidate.width : width;
    const large = fit(aspect, freeWidth, isRight ? height : height - bar - candidate.rows * candidate.height);
    if (large.width < candidate.width * 1.6) continue;
    if (bar && large.height < FULL_HEIGHT * alone.height) continue;
    const score = large.width * large.height * (candidate.width * candidate.height) ** WEIGHT;
    const strip = candidate.rows * candidate.height;
    const used = isRight ? Math.max(large.height, strip) : large.height + strip;
    if (best === null || score > best.score) best = { ...candidate, score, used };
  }
  if (best !== null) return best;
  const small = Math.min(width / others, 160);
  return { side: "over", columns: others, rows: 1, width: small, height: small / THUMBNAIL, used: alone.height };
}

function* candidates(others, width, height) {
  for (let lines = 1; lines <= Math.min(4, others); lines++) {
    const each = Math.ceil(others / lines);
    for (let step = 1; step <= STEPS; step++) {
      const share = (MAX_SHARE * step) / STEPS;
      const right = Math.min((width * share) / lines, (height / each) * THUMBNAIL);
      if (right >= MIN_WIDTH) yield { side: "right", columns: lines, rows: each, width: right, height: right / THUMBNAIL };
      const below = Math.min(width / each, ((height * share) / lines) * THUMBNAIL);
      if (below >= MIN_WIDTH) yield { side: "below", columns: each, rows: lines, width: below, height: below / THUMBNAIL };
    }
  }
}

function fit(aspect, width, height) {
  const fitted = Math.max(0, Math.min(width, height * aspect));
  return { width: fitted, height: fitted / aspect };
}
