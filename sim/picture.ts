/**
 * A recorded run as one HTML page: nodes are lines, messages arrows, time runs downwards.
 *
 * The page is drawn by this project's own code. It is an interactive diagram of one kind, which
 * charting libraries do not offer, and one file that opens anywhere must bring all its parts.
 */
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";
import type { Recording } from "./events.ts";
import body from "./picture/body.html" with { type: "text" };
import details from "./picture/details.ts" with { type: "text" };
import filter from "./picture/filter.ts" with { type: "text" };
import labels from "./picture/labels.ts" with { type: "text" };
import layout from "./picture/layout.ts" with { type: "text" };
import model from "./picture/model.ts" with { type: "text" };
import overview from "./picture/overview.ts" with { type: "text" };
import main from "./picture/page.ts" with { type: "text" };
import painter from "./picture/painter.ts" with { type: "text" };
import pen from "./picture/pen.ts" with { type: "text" };
import style from "./picture/style.css" with { type: "text" };
import time from "./picture/time.ts" with { type: "text" };

/** The page's script, each part behind those that it imports. */
const PARTS = [
  time,
  model,
  filter,
  labels,
  layout,
  details,
  pen,
  painter,
  overview,
  main,
];

/** An import that spans lines or not, and the word before what a part exports. */
const LINKS = /^import [^;]+;\n|^export (?=const|function|class)/gm;

/** The parts as one script: without types, imports and exports, since they share one scope. */
function script(): string {
  return PARTS.map((part) => stripTypeScriptTypes(part).replace(LINKS, ""))
    .join("\n");
}

/** Data between tags: JSON in which nothing can end the element that holds it. */
function inert(recording: Recording): string {
  return JSON.stringify(recording).replaceAll("<", "\\u003c");
}

/** Text that stays text. */
function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

/**
 * The page of a run. It needs nothing but itself, and its own policy forbids the browser to load
 * or run anything else, whatever the values and notes of the run contain.
 */
export function picture(recording: Recording): string {
  const code = script();
  const seed = Number(recording.seed);
  const command = escape(recording.command ?? `kpaxos sim --seed ${seed}`);
  const policy = `default-src 'none'; script-src 'sha256-${sha256(code)}'; ` +
    `style-src 'sha256-${sha256(style)}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>${command}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>A simulated run of kpaxos, seed ${seed}</h1>
<span>again: <code>${command}</code></span>
<span id="summary" role="status"></span>
</header>
${body}<script type="text/plain" id="recording">${inert(recording)}</script>
<script type="module">${code}</script>
</body>
</html>
`;
}
