// The page as it begins, and as its reader wants it: scales, arrangement, light or dark.

function setTheme(dark) {
  state.dark = dark;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
  const colours = pageColours();
  for (const view of [plane, losses, ...made()]) view.colour(colours);
  coloured.forEach(set => set());
  fillCurves();
  refit();
}

function option(list, value, text, selected) {
  list.append(new Option(text, value, selected, selected));
}

slider.max = last;
SPEEDS.forEach(factor => option(speed, factor, `${factor}×`, factor === 1));
for (const [per, { unit }] of Object.entries(contents.scales)) option(byId("scale"), per, unit, per === state.per);
byId("scaling").hidden = byId("scale").length < 2;
const depth = contents.is_scale ? ", coloured by depth, first to last" : "";
fillKey(byId("layers"), `layers${depth}`, contents.layers.map((name, k) => [shortNames[k], name]), state.layers,
  layer => ({ colour: colourOf(layer), marker: "circle" }));
fillKey(byId("runs"), "runs", runs.map(({ name }) => [name, name]), state.runs, number => runs[number]);
byId("runs").hidden = runs.length < 2;
byId("notes").textContent = contents.notes.join(" · ");

byId("scale").addEventListener("change", ({ target }) => { state.per = target.value; nameAxes(); refit(); });
byId("equal").addEventListener("change", ({ target }) => { state.equal = target.checked; refit(); });
byId("arrangement").addEventListener("change", ({ target }) => arrange(target.value === "panels"));
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = false;
prefersDark.addEventListener("change", ({ matches }) => chosenTheme || setTheme(matches));
byId("theme").addEventListener("click", () => { chosenTheme = true; setTheme(!state.dark); });
setTheme(prefersDark.matches);

// For automatic checks: a step, and where its points are, in units of the axes and on the screen.
const whereabouts = view => view.items.map(({ track, ends }) => ({
  run: track.run.name,
  layer: contents.layers[track.layer],
  at: ends,
  onScreen: ends.map(end => view.onScreen(end)),
}));
window.eiPlayer = Object.freeze({
  show: seek,
  positions: () => inSight().filter(view => view instanceof Plane).flatMap(whereabouts),
});
