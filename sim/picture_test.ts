/** The picture's page as text, and the parts of it that need no browser. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { crowd, duel, HOSTILE, Notebook, PLACES } from "../tests/recordings.ts";
import type { Recording } from "./events.ts";
import { picture } from "./picture.ts";
import { describe } from "./picture/details.ts";
import {
  EVENT_KINDS,
  type Filter,
  matcher,
  MESSAGE_KINDS,
  select,
} from "./picture/filter.ts";
import { labelText, wordsOf } from "./picture/labels.ts";
import {
  arrange,
  eachArrow,
  orderOf,
  placeRows,
  timeOfY,
  yOfTime,
} from "./picture/layout.ts";
import { createModel, type Model } from "./picture/model.ts";
import { Random } from "./random.ts";

/** The text of the page's elements of one kind. */
function elements(page: string, tag: string): string[] {
  const pattern = new RegExp(`<${tag}[^>]*>(.*?)</${tag}`, "gs");
  return Array.from(page.matchAll(pattern), ([, text]) => text);
}

/** What passes when everything may, but for what a test says otherwise. */
function filter(changes: Partial<Filter> = {}): Filter {
  return {
    kinds: new Set([...MESSAGE_KINDS, ...EVENT_KINDS].map(({ key }) => key)),
    places: new Set(PLACES.keys()),
    query: "",
    from_us: -Infinity,
    to_us: Infinity,
    ...changes,
  };
}

/** The shown events of a model, as their labels would begin. */
function shownTypes(model: Model, changes: Partial<Filter>): string[] {
  const shown = select(model, filter(changes));
  return model.events.filter((_, i) => shown[i] === 1).map((event) =>
    event.type === "send" ? event.message : event.type
  );
}

Deno.test("the page holds the whole recording as inert text", () => {
  const recording = duel();
  const page = picture(recording);
  const [data] = elements(page, "script");
  assert(!data.includes("<"), "data that could end its element");
  assert.deepEqual(JSON.parse(data), JSON.parse(JSON.stringify(recording)));
  assert(
    page.split("<script").length === 3,
    "more scripts than the page's own",
  );
  assert(!page.includes(HOSTILE));
});

Deno.test("the page refers to nothing outside of itself", () => {
  const page = picture({ seed: 1, places: [], events: [] });
  for (
    const word of [
      "http:",
      "https:",
      "src=",
      "href=",
      "url(",
      "@import",
      "import ",
      "import(",
      "fetch(",
    ]
  ) {
    assert(!page.includes(word), `the page says ${word}`);
  }
});

Deno.test("the page's policy allows its own script and style, and nothing else", () => {
  const page = picture(duel());
  const hash = (text: string) =>
    createHash("sha256").update(text).digest("base64");
  const script = elements(page, "script")[1];
  const [style] = elements(page, "style");
  const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!;
  assert.equal(
    policy,
    `default-src 'none'; script-src 'sha256-${
      hash(script)
    }'; style-src 'sha256-${hash(style)}'`,
  );
});

Deno.test("the page's script is plain JavaScript in one scope", () => {
  const script = elements(picture(duel()), "script")[1];
  // Compiles it without running it: a type, an import, or a name given twice would not compile.
  new Function(`"use strict"; ${script}`);
});

Deno.test("the page names the seed and the command that replays it", () => {
  const page = picture({ ...duel(), seed: 12345 });
  assert.match(page, /<title>kpaxos sim --seed 12345<\/title>/);
  assert.match(page, /<code>kpaxos sim --seed 12345<\/code>/);
});

Deno.test("a proposer campaigns, leads, and is preempted by what it hears of a higher ballot", () => {
  const model = createModel(duel());
  const reigns = model.reigns.map(({ place, ballot, start, leads, stop }) => [
    PLACES[place].name,
    ballot,
    ...[start, leads, stop].map((event) =>
      event < 0 ? -1 : model.events[event].at_us
    ),
  ]);
  assert.deepEqual(reigns, [
    ["proposer 1", "1.1", 1_000, 1_300, 600_150],
    ["proposer 2", "1.2", 400_000, 400_300, -1],
  ]);
});

Deno.test("a proposer that stops leads no more", () => {
  const book = new Notebook();
  book.send(10, 1, "accept", "3.1", "", []);
  book.add(20, { type: "stop", place: 1, how: "power cut" });
  const [reign] = createModel(book.recording(1)).reigns;
  assert.deepEqual([reign.start, reign.leads, reign.stop], [0, 0, 1]);
});

Deno.test("damaged frames and lower ballots preempt nobody", () => {
  const book = new Notebook();
  book.send(10, 1, "prepare", "3.1", "", []);
  book.send(20, 2, "heartbeat", "2.2", "", [1]);
  book.send(30, 2, "heartbeat", "9.2", "", [[1, "corrupted"]]);
  book.send(40, 2, "heartbeat", "10.2", "", [[1, "lost"]]);
  const [reign] = createModel(book.recording(1)).reigns;
  assert.deepEqual([reign.ballot, reign.stop], ["3.1", -1]);
});

Deno.test("ballots are compared as numbers, by round and then by proposer", () => {
  for (
    const [heard, preempts] of [["10.1", true], ["9.3", true], ["9.1", false], [
      "8.9",
      false,
    ]] as const
  ) {
    const book = new Notebook();
    book.send(10, 2, "prepare", "9.2", "", []);
    book.send(20, 1, "heartbeat", heard, "", [2]);
    const [reign] = createModel(book.recording(1)).reigns;
    assert.equal(reign.stop >= 0, preempts, heard);
  }
});

Deno.test("a node's line is solid from its start to its stop, and throughout if neither is recorded", () => {
  const { lives, events } = createModel(duel());
  const times = (place: number) =>
    lives.filter((life) => life.place === place).map(({ start, stop }) =>
      [start, stop].map((event) => event < 0 ? -1 : events[event].at_us)
    );
  assert.deepEqual(times(4), [[0, 700_000], [800_000, -1]]);
  assert.deepEqual(times(3), [[0, -1]]);
  const silent = createModel(crowd(1, 10));
  assert.equal(silent.lives.length, PLACES.length);
});

Deno.test("a number is found only as a whole, an instance also within a range", () => {
  const cases: [string, string, boolean][] = [
    ["7", "instance 7", true],
    ["7", "instance 17", false],
    ["1.2", "2B 1.2 instance 3", true],
    ["1.2", "2B 11.2 instance 3", false],
    ["1.2", "2B 1.25 instance 3", false],
    ["instance 7", "2B accepted 1.1 instances 1-3, 5-9", true],
    ["instance 9", "2B accepted 1.1 instances 1-3, 5-9", true],
    ["instance 4", "2B accepted 1.1 instances 1-3, 5-9", false],
    ["7", "repair 6, 7", true],
    ["7", "2A accept 1.1 instance 12: no-op (1-11 decided)", false],
    ["ACCEPTOR 2", "acceptor 2 1B promise", true],
    ["a.c", "abc", false],
    ["2A instance 7", "2A accept 1.1 instance 7", true],
    ["2A instance 7", "2B accepted 1.1 instance 7", false],
    ["acceptor 2", "acceptor 1 2A 1.2", false],
    ["", "anything", true],
  ];
  for (const [query, text, expected] of cases) {
    assert.equal(matcher(query)(text), expected, `"${query}" in "${text}"`);
  }
});

Deno.test("copies are shown and hidden with their frame", () => {
  const model = createModel(duel());
  const kinds = new Set(["reject"]);
  assert.deepEqual(
    shownTypes(model, { kinds }).filter((type) =>
      !["start", "stop"].includes(type)
    ),
    ["reject", "receive", "violation"],
  );
  const places = new Set([...PLACES.keys()].filter((place) => place !== 3));
  assert(!shownTypes(model, { kinds, places }).includes("receive"));
});

Deno.test("a time range keeps late copies of frames that were sent in it", () => {
  const book = new Notebook();
  book.send(10, 0, "submit", undefined, "", [1], 500);
  book.send(20, 0, "submit", undefined, "", [2], 500);
  book.send(200, 0, "submit", undefined, "", [2], 500);
  const model = createModel(book.recording(1));
  const shown = select(model, filter({ from_us: 15, to_us: 100 }));
  assert.deepEqual([...shown], [0, 1, 0, 0, 1, 0]);
});

Deno.test("searching keeps starts, stops and violations in view", () => {
  const types = shownTypes(createModel(duel()), { query: "1.2 instance 2" });
  assert.deepEqual(
    new Set(types),
    new Set([
      "start",
      "accept",
      "accepted",
      "choose",
      "receive",
      "lose",
      "stop",
      "violation",
    ]),
  );
});

Deno.test("places stand in the order in which values pass them", () => {
  const places = [2, 4, 7, 8, 1, 2].map((roles, id) => ({
    name: `${id}`,
    roles,
    id,
  }));
  const model = createModel({ seed: 1, places, events: [] });
  assert.deepEqual(orderOf(model), [3, 2, 4, 0, 5, 1]);
});

Deno.test("every arrow points down, and rows are in the order of time", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const model = createModel(crowd(seed, 100));
    const rows = arrange(model, select(model, filter()));
    for (const end of rows.arrows) {
      const send = model.sends[end];
      assert(rows.rowOf[end] > rows.rowOf[send], `seed ${seed}, event ${end}`);
    }
    model.events.forEach((event, i) => {
      const { rowOf, times_us } = rows;
      assert.equal(times_us[rowOf[i]], event.at_us, `seed ${seed}, event ${i}`);
    });
    assert.deepEqual(rows.times_us, rows.times_us.toSorted((a, b) => a - b));
  }
});

Deno.test("what is written across all lines has a row of its own, with what is later below", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const model = createModel(crowd(seed, 200));
    const { rowOf, banners } = arrange(model, select(model, filter()));
    assert(banners.length > 0);
    for (const banner of banners) {
      const others = rowOf.filter((row) => row === rowOf[banner]).length;
      assert.equal(others, 1, `seed ${seed}, event ${banner}`);
      const later = rowOf.slice(banner + 1);
      assert(later.every((row) => row > rowOf[banner]), `seed ${seed}`);
    }
  }
});

Deno.test("the arrows of a part of the rows are those that touch it", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const model = createModel(crowd(seed, 1000));
    const rows = arrange(model, select(model, filter()));
    const first = random.between(0, rows.times_us.length - 1);
    const last = Math.min(
      rows.times_us.length - 1,
      first + random.between(0, 50),
    );
    const found: number[] = [];
    eachArrow(model, rows, first, last, (end) => found.push(end));
    const touching = rows.arrows.filter((end) =>
      rows.rowOf[end] >= first && rows.rowOf[model.sends[end]] <= last
    );
    assert.deepEqual(found, touching, `seed ${seed}`);
  }
});

Deno.test("rows have room for their labels, and proportional time is proportional", () => {
  const model = createModel(crowd(3, 300));
  const rows = arrange(model, select(model, filter()));
  const scale = { zoom: 1, proportional: false, pixelsPerMicrosecond: 2 };
  const compressed = placeRows(rows, scale);
  for (let row = 1; row < compressed.length; row++) {
    const gap = compressed[row] - compressed[row - 1];
    assert(gap >= rows.labelsMost[row - 1] * 15, `row ${row}`);
  }
  const even = placeRows(rows, { ...scale, proportional: true });
  for (let row = 1; row < even.length; row++) {
    const span_us = rows.times_us[row] - rows.times_us[0];
    assert.equal(even[row] - even[0], span_us * 2);
  }
});

Deno.test("an instant is found where it is drawn, between rows too", () => {
  const model = createModel(duel());
  const rows = arrange(model, select(model, filter()));
  const ys = placeRows(rows, {
    zoom: 1,
    proportional: false,
    pixelsPerMicrosecond: 1,
  });
  for (const at_us of [0, 1_000, 1_025, 300_000, 900_000]) {
    const found = timeOfY(rows, ys, yOfTime(rows, ys, at_us));
    assert(Math.abs(found - at_us) < 1e-6, `${at_us} is found as ${found}`);
  }
});

Deno.test("a filter that shows nothing leaves rows that can be asked", () => {
  const model = createModel({ seed: 1, places: [], events: [] });
  const rows = arrange(model, select(model, filter()));
  const ys = placeRows(rows, {
    zoom: 1,
    proportional: true,
    pixelsPerMicrosecond: 1,
  });
  assert.equal(ys.length, 0);
  assert.equal(timeOfY(rows, ys, 100), 0);
  assert(Number.isFinite(yOfTime(rows, ys, 100)));
});

/** The label of the only send of a recording. */
function labelOf(
  message: "accept" | "reject" | "submit",
  ballot: string | undefined,
  text: string,
): string {
  const book = new Notebook();
  book.send(0, 0, message, ballot, text, []);
  return wordsOf(createModel(book.recording(1)), 0)![1];
}

Deno.test("a message's label is its short name, its ballot and its fields, each once", () => {
  assert.equal(
    labelOf("accept", "1.2", "instance 3: no-op"),
    "2A 1.2 instance 3: no-op",
  );
  assert.equal(
    labelOf("accept", "1.2", `2A accept 1.2 instance 3: "e" (1-2 decided)`),
    `2A 1.2 instance 3: "e"`,
  );
  assert.equal(
    labelOf("reject", "2.1", "reject 1.2: promised 2.1"),
    "reject 1.2: promised 2.1",
  );
  assert.equal(labelOf("submit", undefined, "c1/1"), "submit c1/1");
});

Deno.test("what a place does several times in an instant is one label, and too much is counted", () => {
  const book = new Notebook();
  for (const sequence of [1, 2, 3]) {
    book.add(5, { type: "submit", place: 0, client: "c1", sequence });
  }
  for (let n = 0; n < 3; n++) book.send(5, 1, "prepare", "1.1", "from 1", []);
  for (let n = 0; n < 8; n++) {
    book.send(5, 2, "accept", "1.2", `instance ${n}`, []);
  }
  const model = createModel(book.recording(1));
  const { labels } = arrange(model, select(model, filter()));
  const texts = (place: number) => labels.get(place)!.map(labelText);
  assert.deepEqual(texts(0), ["new value c1/1, c1/2, c1/3"]);
  assert.deepEqual(texts(1), ["1A 1.1 from 1 ×3"]);
  assert.equal(texts(2).length, 6);
  assert.equal(texts(2).at(-1), "(+2) 2A 1.2 instance 5");
});

Deno.test("the details of a message are all its fields and what became of every copy", () => {
  const recording: Recording = duel();
  const model = createModel(recording);
  const lost = model.events.findIndex((event) =>
    event.type === "lose" && event.fate === "lost"
  );
  const details = describe(model, lost).map((detail) => detail.join(": "));
  assert.deepEqual(details, [
    "event: lose",
    "time: 0.001453 s",
    "place: learner 1",
    "frame: 8",
    "fate: lost",
    "message: accepted",
    "ballot: 1.1",
    "text: instance 1",
    "sent: by acceptor 2 at 0.001401 s",
    "to: client 1 after 50 µs",
    "to: proposer 1 after 51 µs",
    "to: learner 1 after 52 µs, lost",
  ]);
});
