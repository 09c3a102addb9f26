// What is said of layers and records, in words.

// A number as it is read: four digits, and of large ones all that count bits.
function said(value) {
  if (!Number.isFinite(value)) return "unknown";
  return Math.abs(value) >= 1000 ? value.toFixed(1) : String(Number(value.toPrecision(4)));
}

// What is known of a layer at a record, one line each.
function description(track, t) {
  const factor = factorOf(track), unit = contents.scales[state.per].unit;
  const [low, high] = track.interval ? track.interval.map(ends => said(ends[t] * factor)) : [];
  let known = `EI ${said(track.ei[t] * factor)} ${unit}`;
  if (track.bracketed.has(t)) known = `EI between ${low} and ${high} ${unit}, known by bounds alone`;
  else if (track.interval && track.interval[1][t] > track.interval[0][t]) known += `, 95 % interval ${low} to ${high}`;
  return [
    contents.layers[track.layer],
    (track.run.name ? `${track.run.name}, ` : "") + `step ${track.run.steps[t]}`,
    known,
    `sensitivity ${said(track.sensitivity[t] * factor)} ${unit}`,
    `degeneracy ${said(track.degeneracy[t] * factor)} ${unit}`,
  ].join("\n");
}

// Names without the beginning that all have in common, up to a separator: what tells them apart stays in sight.
const shortNames = (() => {
  const names = contents.layers;
  let cut = 0;
  if (names.length > 1) {
    const first = names[0];
    let same = 0;
    while (same < first.length && names.every(name => name[same] === first[same])) same++;
    cut = Math.max(...[".", "/", "_"].map(sign => first.slice(0, same).lastIndexOf(sign) + 1));
  }
  return names.map(name => (name.length > 24 && cut > 3 ? "…" + name.slice(cut) : name));
})();

// A name whose lines end at separators.
function breakable(name) {
  const text = document.createElement("span");
  for (const piece of name.split(/(?<=[._/])/)) text.append(piece, document.createElement("wbr"));
  return text;
}
