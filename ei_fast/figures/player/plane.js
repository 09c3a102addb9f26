// The causal plane with some tracks: all of them together, or those of one layer.
class Plane extends View {
  constructor(own, isPanel = false) {
    super();
    this.own = own;
    this.isPanel = isPanel;
  }

  async embed(item, element) {
    await super.embed(item, element);
    if (this.isPanel) this.plot.toolbar_location = null;
    for (const range of [this.plot.x_range, this.plot.y_range]) range.change.connect(() => this.nameGuides());
    return this;
  }

  resized() {
    if (state.equal) this.fit();
    this.nameGuides();
  }

  // Axes around all steps of what is shown. Together they have the nullcline in them; a panel is as close as it can be.
  fit() {
    const reach = this.own.filter(isShown).map(extent), { plot } = this;
    let [left, right, bottom, top] = [0, 1, 2, 3].map(k => Math[k % 2 ? "max" : "min"](...reach.map(ends => ends[k])));
    if (!this.isPanel) [left, right] = [Math.min(left, 0), Math.max(right, 0)];
    let x = withMargin(left, right), y = withMargin(bottom, top);
    if (state.equal && plot.inner_width > 0 && plot.inner_height > 0) {
      const unit = Math.max((x[1] - x[0]) / plot.inner_width, (y[1] - y[0]) / plot.inner_height);
      [x, y] = [stretched(x, unit * plot.inner_width), stretched(y, unit * plot.inner_height)];
    }
    this.setRange(plot.x_range, x);
    this.setRange(plot.y_range, y);
    const [horizontal, vertical] = contents.scales[state.per].titles;
    plot.below[0].axis_label = this.isPanel ? null : horizontal;
    plot.left[0].axis_label = this.isPanel ? null : vertical;
    this.nameGuides();
  }

  // Beside both lines what they are, where there is room.
  nameGuides() {
    const { inner_width: width, inner_height: height, x_range, y_range } = this.plot;
    const x = [x_range.start, x_range.end], y = [y_range.start, y_range.end];
    const at = x[1] - (100 * (x[1] - x[0])) / width;
    const seen = !this.isPanel && x[0] < 0 && x[1] > 0;
    this.model("nullcline_label").setv({ y: height - 4, visible: seen });
    const fits = !this.isPanel && at > x[0] && at > y[0] + (20 * (y[1] - y[0])) / height && at < y[1];
    this.model("diagonal_label").setv({ x: at, y: at, visible: fits });
  }

  draw(index) {
    const bars = [], ways = [], past = [], points = [];
    this.items = [];
    for (const track of this.own.filter(isShown)) {
      const t = track.run.at[index];
      if (t < 0) continue;
      const { marker, dash } = track.run, look = { colour: colourOf(track.layer), marker, dash };
      ways.push({ ...look, ...this.way(track, t, look, past), alpha: 0.55, width: 1.3 });
      const known = bar(track, t, track.interval), bounds = bar(track, t, track.bounds);
      if (bounds) bars.push(segment(bounds, look, 2, 0.25));
      if (known) bars.push(segment(known, look, 3, 0.5));
      const [x, y] = place(track, t), text = () => description(track, t);
      if (Number.isFinite(x + y)) points.push({ ...look, x, y, outline: this.outline });
      if (Number.isFinite(x + y)) this.items.push({ track, ends: [[x, y]], text });
      else if (known) this.items.push({ track, ends: known, text });
    }
    for (const [name, rows] of Object.entries({ bars, ways, past, points })) this.fill(name, rows);
    if (this.pointer !== null) this.point(this.pointer);
  }

  // Where a track has been up to a record: a line, and dots that fade with their age.
  way(track, t, look, past) {
    const xs = [], ys = [];
    for (let s = Math.max(t - contents.trail, 0); s <= t; s++) {
      const [x, y] = place(track, s);
      xs.push(x), ys.push(y);
      if (s < t && Number.isFinite(x + y)) past.push({ ...look, x, y, alpha: 1 - (t - s) / (contents.trail + 1) });
    }
    return { xs, ys };
  }

  colour(colours) {
    super.colour(colours);
    this.outline = colours.paper;
  }
}

function segment([[x0, y0], [x1, y1]], { colour }, width, alpha) {
  return { x0, y0, x1, y1, colour, width, alpha };
}

function stretched([low, high], length) {
  const middle = (low + high) / 2;
  return [middle - length / 2, middle + length / 2];
}
