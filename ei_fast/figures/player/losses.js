// Curves over the training steps: losses or other metrics of every run, or EI of every layer.
class Losses extends View {
  curves = contents.curves_of_layers
    ? tracks.map(track => ({ run: track.run, track, name: contents.layers[track.layer] }))
    : runs.flatMap(run => run.curves.map(curve => ({ run, ...curve })));
  names = [...new Set(this.curves.map(({ name }) => name))];

  shown() {
    return this.curves.filter(({ run, track }) => (track ? isShown(track) : state.runs.has(run.number)));
  }

  // The middle of a bracket is no estimate: a curve has a gap there.
  value({ track, values }, t) {
    if (!track) return values[t];
    return track.bracketed.has(t) ? NaN : track.ei[t] * factorOf(track);
  }

  // Curves of layers have the colours of the layers. Others are told apart by shade where runs have the dashes.
  look({ run, track, name }) {
    if (track) return { colour: colourOf(track.layer), dash: run.dash };
    const number = this.names.indexOf(name), { ink, quiet } = this.colours;
    return { colour: number % 2 ? quiet : ink, dash: runs.length > 1 ? run.dash : DASHES[number % DASHES.length] };
  }

  fit() {
    const { scales, steps, logarithmic } = contents, { plot } = this, { beside, ticks } = scales[state.per];
    let low = Infinity, high = -Infinity;
    for (const curve of this.shown()) {
      for (let t = 0; t < curve.run.steps.length; t++) {
        const value = this.value(curve, t);
        if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
      }
    }
    this.setRange(plot.x_range, withMargin(steps[0], steps.at(-1)));
    if (!logarithmic) this.setRange(plot.y_range, withMargin(low, high));
    else if (low <= high) {
      const powers = withMargin(Math.log10(low), Math.log10(high));
      this.setRange(plot.y_range, powers.map(power => 10 ** power));
    }
    const [axis] = plot.left;
    axis.axis_label = beside || null;
    if (ticks) {
      axis.ticker.ticks = ticks.map(([tick]) => tick);
      axis.major_label_overrides = new Map(ticks);
    }
    this.fill("curves", this.shown().map(curve => {
      const xs = curve.run.steps, ys = xs.map((_, t) => this.value(curve, t));
      return { xs, ys, ...this.look(curve), alpha: 1, width: 1.6 };
    }));
  }

  draw(index) {
    this.model("now").location = contents.steps[index];
    const markers = [];
    this.items = [];
    for (const curve of this.shown()) {
      const t = curve.run.at[index], y = t < 0 ? NaN : this.value(curve, t);
      if (!Number.isFinite(y)) continue;
      const x = curve.run.steps[t];
      markers.push({ x, y, colour: this.look(curve).colour, marker: curve.run.marker, outline: this.colours.paper });
      const text = () => `${curve.name} ${said(y)}\n${curve.run.name ? curve.run.name + ", " : ""}step ${x}`;
      this.items.push({ ends: [[x, y]], text });
    }
    this.fill("markers", markers);
    if (this.pointer !== null) this.point(this.pointer);
  }

  colour(colours) {
    super.colour(colours);
    this.colours = colours;
  }
}
