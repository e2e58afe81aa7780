/**
 * A flame graph: each function a bar above its caller, as wide as its share of the samples (Gregg,
 * "The Flame Graph", CACM 59(6), 2016). The mouse over a bar shows its whole name and share.
 */
import { type Call, type Kind, ownSamples } from "./stacks.ts";

const WIDTH = 1200;
const BAR = 17;
const TOP = 52;
/** Of a letter, on average. */
const LETTER = 6.4;
/** Bars that would be thinner are not drawn. */
const THINNEST = 0.6;

const COLOURS: Readonly<Record<Kind, string>> = {
  kernel: "#f2b880",
  core: "#8fc7a5",
  script: "#f3de8a",
  native: "#b9c6e0",
};
const MEANINGS: Readonly<Record<Kind, string>> = {
  kernel: "kernel",
  core: "protocol core (WebAssembly)",
  script: "JavaScript",
  native: "runtime, shim and libraries",
};

/** Draws a tree as an SVG. */
export function drawFlame(title: string, root: Call): string {
  const bars: string[] = [];
  const shown = (it: Call) => it.samples / root.samples * WIDTH >= THINNEST;
  const depthOf = (it: Call): number =>
    1 + Math.max(0, ...[...it.calls.values()].filter(shown).map(depthOf));
  const height = TOP + depthOf(root) * BAR + 8;
  const draw = (it: Call, left: number, depth: number) => {
    bars.push(bar(it, root.samples, left, height - 8 - (depth + 1) * BAR));
    let at = left;
    for (const callee of [...it.calls.values()].sort(byName)) {
      if (shown(callee)) draw(callee, at, depth + 1);
      at += callee.samples / root.samples * WIDTH;
    }
  };
  draw(root, 0, 0);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fefefe"/>`,
    `<text x="8" y="20" font-size="15">${escaped(title)}</text>`,
    legend(),
    ...bars,
    "</svg>",
    "",
  ].join("\n");
}

function byName(a: Call, b: Call): number {
  return a.name < b.name ? -1 : 1;
}

function bar(it: Call, all: number, left: number, top: number): string {
  const width = it.samples / all * WIDTH;
  const letters = Math.floor((width - 6) / LETTER);
  const share = (samples: number) => `${(samples / all * 100).toFixed(1)} %`;
  const text = it.name.length <= letters
    ? it.name
    : letters > 3
    ? `${it.name.slice(0, letters - 1)}…`
    : "";
  return [
    `<g><title>${escaped(it.name)}: ${share(it.samples)}, itself ${
      share(ownSamples(it))
    }</title>`,
    `<rect x="${left.toFixed(1)}" y="${top}" width="${
      Math.max(width - 0.4, 0.3).toFixed(1)
    }" height="${BAR - 1}" rx="1" fill="${COLOURS[it.kind]}"/>`,
    text === ""
      ? ""
      : `<text x="${(left + 3).toFixed(1)}" y="${top + 12}">${
        escaped(text)
      }</text>`,
    "</g>",
  ].join("");
}

function legend(): string {
  let left = 8;
  return (Object.keys(COLOURS) as Kind[]).map((kind) => {
    const entry = `<rect x="${left}" y="30" width="12" height="12" fill="${
      COLOURS[kind]
    }"/><text x="${left + 17}" y="40">${MEANINGS[kind]}</text>`;
    left += 40 + MEANINGS[kind].length * LETTER;
    return entry;
  }).join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(
    ">",
    "&gt;",
  );
}
