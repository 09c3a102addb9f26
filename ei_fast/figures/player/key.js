// The key: lists of layers, runs and curves with the marks that they have in the figures.

// What takes on the colours of the page, each by a function.
const coloured = [];

// As the figures draw them, in a box of 24 by 14.
const DASHED = { dashed: "5 3", dotted: "1.5 2.5", dotdash: "1.5 2.5 5 2.5", dashdot: "5 2.5 1.5 2.5" };
const SHAPES = {
  circle: "M17 7a5 5 0 1 1-10 0a5 5 0 1 1 10 0",
  square: "M7.5 2.5h9v9h-9z",
  triangle: "M12 1.5l5.5 10h-11z",
  diamond: "M12 1l5 6l-5 6l-5-6z",
  inverted_triangle: "M12 12.5l5.5-10h-11z",
  plus: "M10.5 1.5h3v4h4v3h-4v4h-3v-4h-4v-3h4z",
  star: "M12 1l1.6 4.4l4.6.1l-3.7 2.8l1.3 4.5l-3.8-2.6l-3.8 2.6l1.3-4.5l-3.7-2.8l4.6-.1z",
  hex: "M7 7l2.5-4.5h5l2.5 4.5l-2.5 4.5h-5z",
};

// A line and a mark, or a line alone.
function swatch(colour, { dash = "solid", marker = null }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("viewBox", "0 0 24 14");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, dashed] of [["M0 7h24", true], [SHAPES[marker] ?? "", false]]) {
    const path = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
    for (const [name, value] of Object.entries({ d, stroke: colour, fill: colour, "stroke-width": 2 })) {
      path.setAttribute(name, value);
    }
    if (dashed) path.setAttribute("stroke-dasharray", DASHED[dash] ?? "none");
  }
  return svg;
}

// A list of boxes that choose members of a set, with buttons for all and none.
function fillKey(element, title, entries, chosen, look) {
  const legend = element.querySelector("legend"), list = element.querySelector("ul");
  legend.append(title);
  const boxes = entries.map(([name, full], number) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: chosen.has(number) });
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
      for (const [number, box] of boxes.entries()) {
        box.checked = checked;
        checked ? chosen.add(number) : chosen.delete(number);
      }
      choose();
    });
    legend.append(button);
  }
}

// Where runs have the dashes, a curve has its shade alone.
function fillCurves() {
  const list = byId("curves");
  list.replaceChildren();
  if (contents.curves_of_layers) return;
  for (const name of losses.names) {
    const { colour, dash } = losses.look(losses.curves.find(curve => curve.name === name));
    const mark = swatch(colour, { dash: runs.length > 1 ? "solid" : dash });
    list.appendChild(document.createElement("li")).append(mark, name);
  }
}
