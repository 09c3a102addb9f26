// What the reader does: play, step, choose layers, runs, scales and colours.
const byId = id => document.getElementById(id);
const slider = byId("slider"), play = byId("play"), speed = byId("speed");
const last = contents.steps.length - 1;

const [plane, losses] = await Promise.all([
  new Plane(tracks).embed(contents.figures.plane, byId("plane")),
  new Losses().embed(contents.figures.losses, byId("losses")),
]);
// A panel for each layer, made when it first comes into sight.
const panels = new Map();

const inSight = () => [losses, ...(state.panels ? [...panels.values()].filter(({ view, near }) => view && near) : [plane])];

function show(index) {
  state.index = Math.min(Math.max(Math.round(index), 0), last);
  slider.value = state.index;
  const text = `training step ${contents.steps[state.index]}`;
  byId("step").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  for (const view of inSight()) view.draw(state.index);
}

function refit() {
  for (const view of inSight()) view.fit();
  show(state.index);
}

// Playing: by the clock and not by frames, so that a slow computer leaves steps out and keeps the time.
const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
let playing = null;

function pause() {
  cancelAnimationFrame(playing);
  playing = null;
  play.textContent = "Play";
}

function start() {
  play.textContent = "Pause";
  if (state.index >= last) show(0);
  let before = performance.now(), due = 0;
  const frame = now => {
    due += (Math.max(now - before, 0) * contents.rate * speed.value) / 1000;
    before = Math.max(now, before);
    const whole = Math.floor(due);
    due -= whole;
    if (whole) show(state.index + whole);
    if (state.index >= last) pause();
    else playing = requestAnimationFrame(frame);
  };
  playing = requestAnimationFrame(frame);
}

const toggle = () => (playing === null ? start() : pause());

function seek(index) {
  pause();
  show(index);
}

function changeSpeed(by) {
  speed.selectedIndex = Math.min(Math.max(speed.selectedIndex + by, 0), SPEEDS.length - 1);
}

const KEYS = {
  " ": toggle,
  ArrowLeft: () => seek(state.index - 1),
  ArrowRight: () => seek(state.index + 1),
  Home: () => seek(0),
  End: () => seek(last),
  "+": () => changeSpeed(1),
  "=": () => changeSpeed(1),
  ">": () => changeSpeed(1),
  "-": () => changeSpeed(-1),
  "<": () => changeSpeed(-1),
};
document.addEventListener("keydown", event => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || !(key in KEYS)) return;
  // What has the focus keeps its own keys: a list its arrows, a button or a box the space bar.
  if (target.matches("select") || (key === " " && target.matches("button, [type=checkbox]"))) return;
  event.preventDefault();
  KEYS[key]();
});

// A line and a mark as the figures have them, or a line alone.
function swatch(colour, { dash = "solid", marker = null }) {
  const dashes = { dashed: "5 3", dotted: "1.5 2.5", dotdash: "1.5 2.5 5 2.5", dashdot: "5 2.5 1.5 2.5" }[dash] ?? "none";
  const shapes = {
    circle: "M17 7a5 5 0 1 1-10 0a5 5 0 1 1 10 0", square: "M7.5 2.5h9v9h-9z", triangle: "M12 1.5l5.5 10h-11z",
    diamond: "M12 1l5 6l-5 6l-5-6z", inverted_triangle: "M12 12.5l5.5-10h-11z", cross: "M7 7h10M12 2v10",
  };
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("viewBox", "0 0 24 14");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, dashed] of [["M0 7h24", true], [shapes[marker] ?? "", false]]) {
    const path = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
    for (const [name, value] of Object.entries({ d, stroke: colour, fill: colour, "stroke-width": 2 })) {
      path.setAttribute(name, value);
    }
    if (dashed) path.setAttribute("stroke-dasharray", dashes);
  }
  return svg;
}

const coloured = [];

// A list of boxes that choose members of a set, with buttons for all and none.
function fillKey(element, title, entries, chosen, look) {
  element.hidden = entries.length < 2 && title === "runs";
  const legend = element.querySelector("legend"), list = element.querySelector("ul");
  legend.append(title);
  const boxes = entries.map(([name, full], number) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    const label = Object.assign(document.createElement("label"), { title: full });
    label.append(box, swatch("currentColor", look(number)), breakable(name));
    coloured.push(() => look(number).colour && (label.querySelector("svg").style.color = look(number).colour));
    list.appendChild(document.createElement("li")).append(label);
    box.addEventListener("change", () => {
      box.checked ? chosen.add(number) : chosen.delete(number);
      choose();
    });
    return box;
  });
  for (const [text, checked] of entries.length > 1 ? [["all", true], ["none", false]] : []) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    button.setAttribute("aria-label", `${text} ${title.split(",")[0]}`);
    button.addEventListener("click", () => {
      boxes.forEach((box, number) => (box.checked = checked, checked ? chosen.add(number) : chosen.delete(number)));
      choose();
    });
    legend.append(button);
  }
}

function choose() {
  for (const [layer, { figure }] of panels) figure.hidden = !state.layers.has(layer);
  refit();
}

function fillCurves() {
  const list = byId("curves");
  list.replaceChildren();
  if (contents.curves_of_layers) return;
  for (const name of losses.names) {
    const { colour, dash } = losses.look(losses.curves.find(curve => curve.name === name));
    list.appendChild(document.createElement("li")).append(swatch(colour, { dash: runs.length > 1 ? "solid" : dash }), name);
  }
}

// Panels are made one by one, as they are scrolled into sight.
const watcher = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    const panel = panels.get(Number(target.dataset.layer));
    panel.near = isIntersecting;
    if (isIntersecting) openPanel(panel);
  }
}, { rootMargin: "150px" });

async function openPanel(panel) {
  panel.opened ??= panel.embed(contents.figures.plane, panel.figure.querySelector(".plot"));
  await panel.opened;
  panel.colour(pageColours());
  panel.fit();
  panel.draw(state.index);
}

function makePanels() {
  const grid = byId("panels");
  grid.appendChild(Object.assign(document.createElement("p"), { className: "axes" }));
  contents.layers.forEach((name, layer) => {
    const panel = new Plane(tracks.filter(track => track.layer === layer), true);
    const figure = (panel.figure = grid.appendChild(document.createElement("figure")));
    figure.dataset.layer = layer;
    const caption = figure.appendChild(Object.assign(document.createElement("figcaption"), { title: name }));
    const mark = swatch("currentColor", { marker: "circle" });
    coloured.push(() => (mark.style.color = colourOf(layer)));
    caption.append(mark, breakable(shortNames[layer]));
    figure.appendChild(Object.assign(document.createElement("div"), { className: "plot" }));
    panels.set(layer, panel);
    watcher.observe(figure);
  });
  coloured.forEach(set => set());
}

function arrange(inPanels) {
  state.panels = inPanels;
  if (inPanels && !panels.size) makePanels();
  byId("plane").hidden = inPanels;
  byId("panels").hidden = !inPanels;
  tip.hidden = true;
  nameAxes();
  choose();
}

function nameAxes() {
  const [horizontal, vertical] = contents.scales[state.per].titles;
  for (const text of document.querySelectorAll("#panels .axes")) {
    text.textContent = `horizontal: ${horizontal}; vertical: ${vertical}; axes of each layer's own`;
  }
}

function setTheme(dark) {
  state.dark = dark;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
  const colours = pageColours();
  for (const view of [plane, losses, ...[...panels.values()].filter(({ view }) => view)]) view.colour(colours);
  coloured.forEach(set => set());
  fillCurves();
  refit();
}

function option(list, value, text, selected) {
  list.append(new Option(text, value, selected, selected));
}

// The page as it begins.
slider.max = last;
SPEEDS.forEach(factor => option(speed, factor, `${factor}×`, factor === 1));
for (const [per, { unit }] of Object.entries(contents.scales)) option(byId("scale"), per, unit, per === state.per);
byId("scaling").hidden = byId("scale").length < 2;
const depth = contents.is_scale ? ", coloured by depth, first to last" : "";
fillKey(byId("layers"), `layers${depth}`, contents.layers.map((name, k) => [shortNames[k], name]), state.layers,
  layer => ({ colour: colourOf(layer), marker: "circle" }));
fillKey(byId("runs"), "runs", runs.map(({ name }) => [name, name]), state.runs, number => runs[number]);
byId("notes").textContent = contents.notes.join(" · ");

play.addEventListener("click", toggle);
slider.addEventListener("input", () => seek(Number(slider.value)));
byId("scale").addEventListener("change", ({ target }) => { state.per = target.value; nameAxes(); refit(); });
byId("equal").addEventListener("change", ({ target }) => { state.equal = target.checked; refit(); });
byId("arrangement").addEventListener("change", ({ target }) => arrange(target.value === "panels"));
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = false;
prefersDark.addEventListener("change", ({ matches }) => chosenTheme || setTheme(matches));
byId("theme").addEventListener("click", () => { chosenTheme = true; setTheme(!state.dark); });
setTheme(prefersDark.matches);

// For automatic checks: a step, and where its points are, in units of the axes and on the screen.
window.eiPlayer = Object.freeze({
  show: seek,
  positions: () => inSight().flatMap(view => (view instanceof Plane ? view.items : []).map(({ track, ends }) => (
    { run: track.run.name, layer: contents.layers[track.layer], at: ends, onScreen: ends.map(end => view.onScreen(end)) }
  ))),
});
