// Search in texts without regard to case and accents. Pure.

/** Returns *content* folded, and for each of its characters the position in *content*. */
export function fold(content) {
  let folded = "";
  const positions = [];
  let position = 0;
  for (const character of content) {
    const plain = character.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    folded += plain;
    for (let index = 0; index < plain.length; index++) positions.push(position);
    position += character.length;
  }
  positions.push(position);
  return { folded, positions };
}

/** Returns [start, end] in *content* of each place that has *wanted*, which is folded. */
export function find(content, wanted) {
  const { folded, positions } = fold(content);
  const places = [];
  for (let at = folded.indexOf(wanted); wanted && at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
    places.push([positions[at], positions[at + wanted.length]]);
  }
  return places;
}
