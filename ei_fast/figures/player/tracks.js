// The data as Python wrote them: runs with their tracks, the way of one layer in one run.
const contents = JSON.parse(document.getElementById("contents").textContent);

// So many runs can be told apart at once.
const FEW_RUNS = 3;

// What of it is to be seen: the place in `contents.steps`, layers and runs by their numbers.
const state = {
  index: 0,
  per: contents.per,
  layers: new Set(contents.layers.keys()),
  // Many runs at once hide one another: the first is shown, others at a click.
  runs: new Set([...contents.runs.keys()].slice(0, contents.runs.length <= FEW_RUNS ? FEW_RUNS : 1)),
  equal: false,
  panels: false,
  dark: false,
};

// All of them have an area, which takes the layer's colour.
const MARKERS = ["circle", "square", "triangle", "diamond", "inverted_triangle", "plus", "star", "hex"];
const DASHES = ["solid", "dashed", "dotted", "dotdash", "dashdot"];

function floats(text) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// For each step of all runs the last record of one at or before it, -1 before its first.
function lastRecords(own) {
  let last = -1;
  return contents.steps.map(step => {
    while (last + 1 < own.length && own[last + 1] <= step) last++;
    return last;
  });
}

const runs = contents.runs.map(({ name, steps, tracks, curves }, number) => {
  const run = { name, steps, number, at: lastRecords(steps) };
  run.marker = MARKERS[number % MARKERS.length];
  run.dash = DASHES[number % DASHES.length];
  run.curves = curves.map(([name, values]) => ({ name: name.replaceAll("_", " "), values: floats(values) }));
  run.tracks = tracks.map(track => ({
    ...track,
    run,
    ei: floats(track.ei),
    sensitivity: floats(track.sensitivity),
    degeneracy: floats(track.degeneracy),
    interval: track.interval && track.interval.map(floats),
    bounds: track.bounds && track.bounds.map(floats),
    bracketed: new Set(track.bracketed),
  }));
  return run;
});
const tracks = runs.flatMap(run => run.tracks);

const isShown = track => state.layers.has(track.layer) && state.runs.has(track.run.number);
const colourOf = layer => contents[state.dark ? "dark" : "light"][layer];
const factorOf = track => (state.per === "edge" ? 1 / track.edges : 1);

// The plane is (sensitivity, degeneracy) turned by 45 degrees; EI is their difference, which is known to more digits
// than 32 bits of both leave of it. A bracket has no place, but two ends.
function place(track, t) {
  if (track.bracketed.has(t)) return [NaN, NaN];
  const scale = factorOf(track) / Math.SQRT2;
  return [track.ei[t] * scale, (track.sensitivity[t] + track.degeneracy[t]) * scale];
}

// Both ends of a bar from one EI to another; along it sensitivity is constant.
function bar(track, t, ends) {
  if (!ends || !(ends[1][t] > ends[0][t])) return null;
  const scale = factorOf(track) / Math.SQRT2;
  return ends.map(of => [of[t] * scale, (2 * track.sensitivity[t] - of[t]) * scale]);
}

// From where to where a track reaches at any step, with all its bars: [left, right, bottom, top]; found once a scale.
function extent(track) {
  return ((track.extents ??= {})[state.per] ??= newExtent(track));
}

function newExtent(track) {
  const reach = [Infinity, -Infinity, Infinity, -Infinity];
  const include = ([x, y]) => {
    if (!Number.isFinite(x + y)) return;
    reach[0] = Math.min(reach[0], x), reach[1] = Math.max(reach[1], x);
    reach[2] = Math.min(reach[2], y), reach[3] = Math.max(reach[3], y);
  };
  for (let t = 0; t < track.run.steps.length; t++) {
    include(place(track, t));
    for (const ends of [track.interval, track.bounds]) bar(track, t, ends)?.forEach(include);
  }
  return reach;
}
