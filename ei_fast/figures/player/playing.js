// The step that is shown: played, sought with the slider, or stepped by keys.
const play = byId("play"), speed = byId("speed");

// By the clock and not by frames, so that a slow computer leaves steps out and keeps the time.
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

play.addEventListener("click", toggle);
slider.addEventListener("input", () => seek(Number(slider.value)));
