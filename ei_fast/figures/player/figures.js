// Which figures are in sight: the plane or a panel for each layer, and the losses; all at the same step.
const byId = id => document.getElementById(id);
const slider = byId("slider");
const last = contents.steps.length - 1;

const [plane, losses] = await Promise.all([
  new Plane(tracks).embed(contents.figures.plane, byId("plane")),
  new Losses().embed(contents.figures.losses, byId("losses")),
]);
// A panel for each layer, made when it first comes into sight.
const panels = new Map();

const made = () => [...panels.values()].filter(({ view }) => view);
const inSight = () => [losses, ...(state.panels ? made().filter(({ near }) => near) : [plane])];

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

function choose() {
  for (const [layer, { figure }] of panels) figure.hidden = !state.layers.has(layer);
  refit();
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
  grid.classList.toggle("few", contents.layers.length <= 4);
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
