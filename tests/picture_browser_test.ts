/** The picture in a real browser: what is drawn, what filters and keys do, and that a run's words stay words. */
import assert from "node:assert/strict";
import type { Recording } from "../sim/events.ts";
import { picture } from "../sim/picture.ts";
import { Chromium } from "./chromium.ts";
import { crowd, duel, HOSTILE } from "./recordings.ts";

/**
 * Script for the page: `seen(colour)` lists the pixels of the picture that have exactly a colour of
 * the style sheet. It looks at a copy, since the browser complains about reading the canvas itself.
 */
const SEEN = `(() => {
  const { width, height } = document.getElementById("picture");
  const copy = new OffscreenCanvas(width, height)
    .getContext("2d", { willReadFrequently: true });
  copy.drawImage(document.getElementById("picture"), 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const root = getComputedStyle(document.documentElement);
  globalThis.seen = (colour) => {
    const value = root.getPropertyValue("--" + colour).trim();
    const wanted = [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16));
    const found = [];
    for (let i = 0; i < data.length; i += 4) {
      if (wanted.every((part, j) => data[i + j] === part)) {
        found.push([i / 4 % width, Math.floor(i / 4 / width)]);
      }
    }
    return found;
  };
})()`;

/** Script for the page: chooses proportional time. */
const PROPORTIONAL = `(() => {
  const select = document.getElementById("scale");
  select.value = "proportional";
  select.dispatchEvent(new Event("change"));
})()`;

/** A browser that shows a run from a file, as a reader opens it. */
class Reader implements AsyncDisposable {
  readonly browser: Chromium;
  readonly #file: string;

  private constructor(browser: Chromium, file: string) {
    this.browser = browser;
    this.#file = file;
  }

  static async open(recording: Recording): Promise<Reader> {
    const file = await Deno.makeTempFile({ suffix: ".html" });
    await Deno.writeTextFile(file, picture(recording));
    const reader = new Reader(await Chromium.start(), file);
    await reader.browser.open(reader.url);
    return reader;
  }

  get url(): string {
    return `file://${this.#file}`;
  }

  /** The text of the first element that a CSS selector finds. */
  text(selector: string): Promise<string> {
    return this.browser.evaluate(
      `document.querySelector(${JSON.stringify(selector)}).textContent`,
    );
  }

  /** How many events the page says it shows. */
  async shown(): Promise<number> {
    return Number(
      /^[\d,]+/.exec(await this.text("#summary"))![0].replace(",", ""),
    );
  }

  /** How many pixels of the picture have exactly a colour of the style sheet. */
  async pixels(colour: string): Promise<number> {
    await this.browser.evaluate(SEEN);
    return await this.browser.evaluate(`seen("${colour}").length`);
  }

  /** Where in the window the last pixel of a colour is. */
  async lastPixel(colour: string): Promise<[number, number]> {
    await this.browser.evaluate(SEEN);
    return await this.browser.evaluate(`(() => {
      const { left, top } = document.getElementById("picture")
        .getBoundingClientRect();
      const [x, y] = seen("${colour}").at(-1);
      return [left + x, top + y];
    })()`);
  }

  /** Types into a field, in place of what it holds. */
  async type(selector: string, text: string): Promise<void> {
    await this.browser.evaluate(`(() => {
      document.querySelector("${selector}").select();
      document.execCommand("delete");
    })()`);
    if (text !== "") await this.browser.command("Input.insertText", { text });
    await this.browser.painted();
  }

  scrollTop(): Promise<number> {
    return this.browser.evaluate("document.getElementById('view').scrollTop");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser[Symbol.asyncDispose]();
    await Deno.remove(this.#file);
  }
}

Deno.test("the picture of a duel opens from a file, draws all there is and asks for nothing else", async () => {
  await using reader = await Reader.open(duel());
  const { watched } = reader.browser;
  assert.deepEqual(watched.complaints, []);
  assert.deepEqual(watched.requests, [reader.url]);
  assert.equal(
    await reader.text("#heads"),
    "client 1proposer 1proposer 2acceptor 1acceptor 2acceptor 3learner 1decided",
  );
  assert.match(await reader.text("#summary"), /2 chosen · 1 violation$/);
  for (
    const colour of [
      "line",
      "prepare",
      "promise",
      "accept",
      "accepted",
      "request",
      "ballot0",
      "chosen",
      "deliver",
      "fault-wash",
      "violation",
    ]
  ) {
    assert(await reader.pixels(colour) > 10, `nothing is ${colour}`);
  }
});

Deno.test("what a run says does not become part of the page", async () => {
  await using reader = await Reader.open(duel());
  await reader.browser.press("v");
  assert((await reader.text("#details dl")).includes(HOSTILE));
  assert.equal(await reader.text("title"), "kpaxos sim --seed 7");
  assert.equal(await reader.browser.evaluate("document.images.length"), 0);
  assert.equal(await reader.browser.evaluate("document.scripts.length"), 2);
  assert.deepEqual(reader.browser.watched.complaints, []);
  assert.deepEqual(reader.browser.watched.requests, [reader.url]);
});

Deno.test("boxes show and hide messages, events and nodes", async () => {
  await using reader = await Reader.open(duel());
  const { browser } = reader;
  const all = await reader.shown();
  await browser.clickOn("input[name=accepted]");
  assert.equal(await reader.pixels("accepted"), 0);
  assert(await reader.pixels("accept") > 10);
  assert(await reader.shown() < all);
  await browser.clickOn("input[name=accepted]");
  assert.equal(await reader.shown(), all);
  assert(await reader.pixels("accepted") > 10);

  assert.equal(await reader.pixels("heartbeat"), 0);
  await browser.clickOn("input[name=heartbeat]");
  assert(await reader.shown() > all);

  await browser.clickOn("#places label:nth-child(2) input");
  assert(!(await reader.text("#heads")).includes("proposer 1"));
  assert.equal(await reader.pixels("ballot0"), 0);
});

Deno.test("searching leaves what says the words, and a time range what happened in it", async () => {
  await using reader = await Reader.open(duel());
  const all = await reader.shown();
  await reader.type("#query", "instance 2");
  const found = await reader.shown();
  assert(found > 0 && found < all, `${found} of ${all}`);
  assert.equal(await reader.pixels("prepare"), 0);
  assert(await reader.pixels("accepted") > 10);
  await reader.type("#query", "nothing says this");
  assert.equal(await reader.pixels("accepted"), 0);
  await reader.type("#query", "");
  assert.equal(await reader.shown(), all);

  await reader.type("#from", "0.5");
  await reader.type("#to", "0.65");
  assert.equal(await reader.shown(), 6);
  assert.deepEqual(reader.browser.watched.complaints, []);
});

Deno.test("keys and buttons go to the next decision and violation and back", async () => {
  await using reader = await Reader.open(duel());
  const { browser } = reader;
  const before = await reader.scrollTop();
  await browser.clickOn("#next-violation");
  assert.match(await reader.text("#details dl"), /violation.*agreement/);
  assert(await reader.scrollTop() > before);
  assert(await reader.pixels("violation") > 1000);

  // From the end, the next one is the first, and the one before that the last.
  const instances = [];
  for (const key of ["c", "c", "C"]) {
    await browser.press(key);
    instances.push(/instance(\d)/.exec(await reader.text("#details dl"))![1]);
  }
  assert.deepEqual(instances, ["1", "2", "1"]);
  const chosen = await reader.text("#details dl");
  await browser.press("j");
  assert.notEqual(await reader.text("#details dl"), chosen);
  await browser.press("k");
  assert.equal(await reader.text("#details dl"), chosen);
});

Deno.test("an arrow that is clicked shows its message and every copy", async () => {
  await using reader = await Reader.open(duel());
  const { browser } = reader;
  await reader.type("#query", "1A 1.1");
  // The last pixel of their colour is one of the arrows' heads.
  await browser.click(...await reader.lastPixel("prepare"));
  const details = await reader.text("#details dl");
  assert.match(details, /messageprepareballot1\.1/);
  for (const id of [1, 2, 3]) {
    assert(details.includes(`toacceptor ${id} after`));
  }
  // It stays when the pointer goes elsewhere.
  await browser.point(5, 5);
  assert.equal(await reader.text("#details dl"), details);
});

Deno.test("from afar there are points without words", async () => {
  await using reader = await Reader.open(duel());
  const close = await reader.pixels("deliver");
  for (const _ of [1, 2, 3]) await reader.browser.press("-");
  const far = await reader.pixels("deliver");
  assert(far > 0 && far < close, `${close} pixels, then ${far}`);
});

Deno.test("time may be proportional, and zoom keeps the instant in the middle", async () => {
  await using reader = await Reader.open(crowd(1, 300));
  const { browser } = reader;
  const height = () =>
    browser.evaluate<number>("document.getElementById('sheet').clientHeight");
  await browser.evaluate("document.getElementById('view').scrollTop = 3000");
  const before = await height();
  await browser.press("+");
  assert(await height() > before);
  assert(await reader.scrollTop() > 3200);
  await browser.press("-");
  assert.equal(await height(), before);
  assert(Math.abs(await reader.scrollTop() - 3000) < 3);
  await browser.evaluate(PROPORTIONAL);
  await browser.painted();
  assert.notEqual(await height(), before);
  assert.deepEqual(browser.watched.complaints, []);
});

Deno.test("light or dark, as the reader likes it", async () => {
  await using reader = await Reader.open(duel());
  const paper = () =>
    reader.browser.evaluate<string>(
      "getComputedStyle(document.documentElement).getPropertyValue('--paper')",
    );
  const light = await paper();
  assert(await reader.pixels("paper") > 100_000);
  await reader.browser.look({ width: 1280, height: 900, dark: true });
  await reader.browser.painted();
  assert.notEqual(await paper(), light);
  assert(await reader.pixels("paper") > 100_000);
});

Deno.test("a run of 100,000 events is drawn in part and can be looked at to its end", async () => {
  const recording = crowd(2, 27_000);
  assert(recording.events.length > 100_000);
  await using reader = await Reader.open(recording);
  const { browser } = reader;
  for (const name of ["heartbeat", "chatter", "durable"]) {
    await browser.clickOn(`input[name=${name}]`);
  }
  assert.equal(await reader.shown(), recording.events.length);
  await browser.evaluate("document.getElementById('view').scrollTop = 1e9");
  await browser.painted();
  assert(await reader.pixels("accept") > 10);
  await browser.evaluate(PROPORTIONAL);
  await browser.evaluate(`(() => {
    for (let n = 0; n < 30; n++) document.getElementById("zoom-out").click();
  })()`);
  await browser.painted();
  assert.match(await reader.text("#summary"), /arrows not drawn: zoom in/);
  assert.deepEqual(browser.watched.complaints, []);
});
