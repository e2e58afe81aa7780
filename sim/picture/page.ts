/// <reference lib="dom" />
/** The picture's page in a browser: controls, scrolling, keys and details around the painter. */
import type { Recording } from "../events.ts";
import { describe } from "./details.ts";
import { EVENT_KINDS, type Kind, MESSAGE_KINDS, select } from "./filter.ts";
import {
  arrange,
  firstFrom,
  orderOf,
  placeRows,
  type Rows,
  timeOfY,
  yOfTime,
} from "./layout.ts";
import { createModel } from "./model.ts";
import { Overview } from "./overview.ts";
import { GUTTER_PIXELS, Painter } from "./painter.ts";
import { Pen } from "./pen.ts";

/** Least distance of two lines. */
const COLUMN_PIXELS_MIN = 72;
/** Width of the lane of decisions. */
const LANE_PIXELS = 168;
/** Width of the strip beside the picture. */
const OVERVIEW_PIXELS = 16;
/** Browsers take no higher element. */
const SHEET_PIXELS_MAX = 30_000_000;
const ZOOM_STEP = 1.25;
const ZOOM_MIN = 0.15;
const ZOOM_MAX = 200;
/** Height of a row on average, where time is proportional, at zoom 1. */
const ROW_PIXELS = 40;

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const recording: Recording = JSON.parse(element("recording").textContent!);
const model = createModel(recording);
const view = element("view");
const pen = new Pen(element<HTMLCanvasElement>("picture"));
const strip = new Pen(element<HTMLCanvasElement>("overview"));
const painter = new Painter(model, pen);
const overview = new Overview(model, strip);

/** Events that keys and buttons go to, and how a button names them. */
const JUMPS: Record<string, { name: string; found: number[] }> = {
  c: { name: "chosen", found: eventsOf("choose") },
  f: { name: "fault", found: eventsOf("fault", "stop") },
  v: { name: "violation", found: eventsOf("violation") },
};

/** The places from left to right, and behind them the lane of decisions. */
const order = [...orderOf(model), recording.places.length];

/** What the reader has chosen. */
const state = {
  kinds: new Set<string>(),
  places: new Set(recording.places.keys()),
  zoom: 1,
  proportional: false,
  selected: -1,
};
let rows: Rows;
let ys: Float64Array;
/** The instant in the middle of the view when rows were last there. */
let middle_us = 0;
let scheduled = false;

function eventsOf(...types: string[]): number[] {
  return [...model.events.keys()].filter((i) =>
    types.includes(model.events[i].type)
  );
}

/** Puts the shown events into rows, after a change of the filters. */
function refilter(): void {
  if (rows !== undefined) keepMiddle();
  const limit_us = (id: string, otherwise: number) => {
    const { value } = element<HTMLInputElement>(id);
    return value === "" ? otherwise : Number(value) * 1e6;
  };
  rows = arrange(
    model,
    select(model, {
      kinds: state.kinds,
      places: state.places,
      query: element<HTMLInputElement>("query").value,
      from_us: limit_us("from", -Infinity),
      to_us: limit_us("to", Infinity),
    }),
  );
  rescale();
}

/** Notes which instant is in the middle of the view, before rows move. */
function keepMiddle(): void {
  if (rows.times_us.length === 0) return;
  middle_us = timeOfY(rows, ys, view.scrollTop + view.clientHeight / 2);
}

/** Gives every row its place, keeping the same instant in the middle. */
function rescale(): void {
  limitZoom();
  ys = placeRows(rows, scale());
  const sheet = element("sheet");
  const height = Math.max(view.clientHeight, (ys.at(-1) ?? 0) + 60);
  sheet.style.height = `${height}px`;
  sheet.style.width = `${columns().width}px`;
  view.scrollTop = yOfTime(rows, ys, middle_us) - view.clientHeight / 2;
  schedule();
}

/** Rows keep apart; proportional time may shrink until all of it is in view. */
function limitZoom(): void {
  const height = Math.max(1, rows.times_us.length) * ROW_PIXELS;
  const all = view.clientHeight / height;
  const least = state.proportional ? all : ZOOM_MIN;
  state.zoom = Math.min(Math.max(state.zoom, least), ZOOM_MAX);
}

/** Proportional time is as high as the rows would be, or as high as a page can be. */
function scale() {
  const { zoom, proportional } = state;
  const { times_us } = rows;
  const span_us = Math.max(1, (times_us.at(-1) ?? 0) - (times_us[0] ?? 0));
  const pixels = Math.min(
    times_us.length * ROW_PIXELS * zoom,
    SHEET_PIXELS_MAX,
  );
  return { zoom, proportional, pixelsPerMicrosecond: pixels / span_us };
}

/** Where the lines are, and how wide all is. */
function columns(): { xs: number[]; width: number } {
  const around = GUTTER_PIXELS + LANE_PIXELS;
  const each = Math.max(
    COLUMN_PIXELS_MIN,
    (view.clientWidth - around) / Math.max(1, state.places.size),
  );
  let used = 0;
  const xs = new Array<number>(order.length).fill(-1);
  for (const column of order) {
    if (column < recording.places.length && !state.places.has(column)) continue;
    xs[column] = Math.round(GUTTER_PIXELS + 20 + each * used++);
  }
  return { xs, width: around + each * state.places.size };
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

function draw(): void {
  const { xs } = columns();
  painter.draw({
    rows,
    scale: scale(),
    ys,
    xs,
    order,
    width: view.clientWidth,
    height: view.clientHeight,
    left: view.scrollLeft,
    top: view.scrollTop,
    selected: state.selected,
  });
  overview.draw(rows, ys, view, OVERVIEW_PIXELS);
  drawHeads(xs);
  summarise();
}

/** The names above the lines. */
function drawHeads(xs: readonly number[]): void {
  const names = [...recording.places.map(({ name }) => name), "decided"];
  element("heads").replaceChildren(
    ...order.filter((column) => xs[column] >= 0).map((column) => {
      const head = textElement("span", names[column]);
      head.style.left = `${xs[column] - view.scrollLeft - 10}px`;
      return head;
    }),
  );
}

function summarise(): void {
  const count = (n: number, what: string) =>
    `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
  const parts = [
    `${rows.shown.toLocaleString("en")} of ${
      count(model.events.length, "event")
    } shown`,
    `${JUMPS.c.found.length.toLocaleString("en")} chosen`,
  ];
  if (recording.cutAt_us !== undefined) {
    parts.push(`events after ${recording.cutAt_us / 1e6} s were left out`);
  }
  if (painter.omitted > 0) {
    parts.push(`${count(painter.omitted, "arrow")} not drawn: zoom in`);
  }
  const violations = document.createElement("span");
  violations.textContent = count(JUMPS.v.found.length, "violation");
  if (JUMPS.v.found.length > 0) violations.className = "violated";
  // A status that is written again is read out again.
  const text = parts.join(" · ") + " · ";
  const summary = element("summary");
  if (summary.textContent === text + violations.textContent) return;
  summary.replaceChildren(text, violations);
}

/** Selects an event and shows all its fields; -1: nothing. */
function choose(event: number): void {
  state.selected = event;
  showDetails(event);
  schedule();
}

function showDetails(event: number): void {
  const list = document.querySelector("#details dl")!;
  list.replaceChildren();
  for (const [term, text] of event < 0 ? [] : describe(model, event)) {
    list.append(textElement("dt", term), textElement("dd", text));
  }
  document.querySelector<HTMLElement>("#details .hint")!.hidden = event >= 0;
}

function textElement(tag: string, text: string): HTMLElement {
  const result = document.createElement(tag);
  result.textContent = text;
  return result;
}

/** Goes to the next of some ascending events, or the one before, that is shown; around the end if need be. */
function jump(events: readonly number[], back: boolean): void {
  const shown = events.filter((event) => rows.rowOf[event] >= 0);
  if (shown.length === 0) return;
  const here = rows.rowOf[state.selected] >= 0
    ? state.selected
    : rows.rowOf.findIndex((row) => row >= 0 && ys[row] >= view.scrollTop) - 1;
  const after = firstFrom(shown, back ? here : here + 1);
  const next = back ? after - 1 : after;
  const event = shown[(next + shown.length) % shown.length];
  const y = ys[rows.rowOf[event]];
  const { scrollTop, clientHeight } = view;
  if (y < scrollTop + 20 || y > scrollTop + clientHeight - 40) {
    view.scrollTop = y - clientHeight / 2;
  }
  choose(event);
}

function zoom(steps: number): void {
  keepMiddle();
  state.zoom *= ZOOM_STEP ** steps;
  rescale();
}

/** A box that shows or hides one thing. */
function addBox<T>(list: string, key: T, label: string, chosen: Set<T>) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.name = String(key);
  box.checked = chosen.has(key);
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(key);
    else chosen.delete(key);
    refilter();
  });
  const whole = document.createElement("label");
  whole.title = label;
  whole.append(box, label);
  element(list).append(whole);
  return whole;
}

function addKindBox(list: string, { key, label, shown }: Kind): void {
  if (shown) state.kinds.add(key);
  const swatch = document.createElement("i");
  swatch.className = "swatch";
  swatch.style.background = `var(--${key})`;
  addBox(list, key, label, state.kinds).firstChild!.after(swatch);
}

function addControls(): void {
  for (const kind of MESSAGE_KINDS) addKindBox("messages", kind);
  for (const kind of EVENT_KINDS) addKindBox("marks", kind);
  for (const place of order.slice(0, -1)) {
    addBox("places", place, recording.places[place].name, state.places);
  }
  for (const [key, { name, found }] of Object.entries(JUMPS)) {
    const button = textElement("button", `${name} (${found.length})`);
    button.id = `next-${name}`;
    button.title = `key ${key}; with Shift: the one before`;
    (button as HTMLButtonElement).disabled = found.length === 0;
    button.addEventListener("click", (event) => jump(found, event.shiftKey));
    element("jumps").append(button);
  }
  for (const id of ["query", "from", "to"]) {
    element(id).addEventListener("input", refilter);
  }
  element("zoom-in").addEventListener("click", () => zoom(2));
  element("zoom-out").addEventListener("click", () => zoom(-2));
  element<HTMLSelectElement>("scale").addEventListener("change", (event) => {
    keepMiddle();
    const { value } = event.target as HTMLSelectElement;
    state.proportional = value === "proportional";
    rescale();
  });
}

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (target.matches("input:not([type=checkbox]), select")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key in JUMPS) jump(JUMPS[key].found, event.shiftKey);
  else if (key === "j" || key === "k") {
    jump([...model.events.keys()], key === "k");
  } else if (key === "+" || key === "=") zoom(1);
  else if (key === "-") zoom(-1);
  else if (key === "escape") choose(-1);
}

function addPointer(): void {
  const canvas = element("picture");
  canvas.addEventListener("pointermove", (event) => {
    const under = painter.eventAt(event.offsetX, event.offsetY);
    canvas.style.cursor = under < 0 ? "default" : "pointer";
    showDetails(under < 0 ? state.selected : under);
  });
  canvas.addEventListener("pointerleave", () => showDetails(state.selected));
  canvas.addEventListener("click", (event) => {
    choose(painter.eventAt(event.offsetX, event.offsetY));
  });
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(-Math.sign(event.deltaY));
  }, { passive: false });
  element("overview").addEventListener("pointerdown", (event) => {
    const share = event.offsetY / element("overview").clientHeight;
    view.scrollTop = share * view.scrollHeight - view.clientHeight / 2;
  });
}

addControls();
refilter();
addPointer();
document.addEventListener("keydown", onKey);
view.addEventListener("scroll", schedule);
new ResizeObserver(() => {
  keepMiddle();
  rescale();
}).observe(view);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  pen.forgetColours();
  strip.forgetColours();
  schedule();
});
