// A figure of Bokeh in an element: its sources filled, its axes set, its colours those of the page.
Bokeh.logger.set_level("warn");

const NEAR = 16;
const tip = document.getElementById("tip");

// Colours of the page as the browser computes them, for the canvas.
function pageColours() {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = {};
  for (const name of ["paper", "ink", "quiet", "line"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

class View {
  // items: what can be pointed at, {ends: one or two places, text: () => what is said}.
  items = [];
  pointer = null;

  async embed(item, element) {
    const manager = await Bokeh.embed.embed_item(item, element);
    this.element = element;
    this.view = manager.roots[0];
    this.plot = this.view.model;
    for (const size of ["inner_width", "inner_height"]) {
      this.plot.properties[size].change.connect(() => this.resized());
    }
    for (const kind of ["pointermove", "pointerdown"]) {
      element.addEventListener(kind, ({ clientX, clientY }) => this.point([clientX, clientY]));
    }
    // After a zoom: all again.
    element.addEventListener("dblclick", () => this.fit());
    element.addEventListener("pointerleave", () => this.point(null));
    return this;
  }

  resized() {}

  model(name) {
    return this.plot.document.get_model_by_name(name);
  }

  fill(name, rows) {
    const source = this.model(name);
    source.data = Object.fromEntries(source.columns().map(column => [column, rows.map(row => row[column])]));
  }

  setRange(range, [start, end]) {
    range.setv({ start, end });
  }

  colour({ ink, quiet, line }) {
    const { below, left, center } = this.plot;
    for (const axis of [...below, ...left]) {
      axis.setv({
        axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: quiet, major_tick_line_color: quiet,
      });
    }
    for (const model of center) {
      if (model.type === "Grid") model.grid_line_color = line;
      else if (model.type === "Label") model.text_color = quiet;
      else model.line_color = quiet;
    }
  }

  // Where a place in units of the axes is in the window, pixels.
  onScreen([x, y]) {
    const { frame, canvas } = this.view, { left, top } = canvas.el.getBoundingClientRect();
    return [left + frame.x_scale.compute(x), top + frame.y_scale.compute(y)];
  }

  point(pointer) {
    this.pointer = pointer;
    let nearest = null, least = NEAR;
    for (const item of pointer === null ? [] : this.items) {
      const distance = distanceTo(pointer, item.ends.map(end => this.onScreen(end)));
      if (distance < least) [nearest, least] = [item, distance];
    }
    tip.hidden = nearest === null;
    if (nearest === null) return;
    tip.textContent = nearest.text();
    const { width, height } = tip.getBoundingClientRect(), [x, y] = pointer;
    tip.style.left = Math.max(Math.min(x + 14, innerWidth - width - 4), 4) + "px";
    tip.style.top = (y + 18 + height > innerHeight ? Math.max(y - height - 12, 4) : y + 18) + "px";
  }
}

// From a point to a point, or to the nearest one between two.
function distanceTo([x, y], [[x0, y0], [x1, y1] = [x0, y0]]) {
  const square = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const along = square ? Math.min(Math.max(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / square, 0), 1) : 0;
  return Math.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0));
}

// Some room around what is shown.
function withMargin(low, high) {
  if (!(low <= high)) return [0, 1];
  const margin = 0.06 * (high - low) || Math.abs(high) * 0.06 || 0.5;
  return [low - margin, high + margin];
}
