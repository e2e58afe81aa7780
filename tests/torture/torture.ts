/** Everything that can happen to a cluster with storage, drawn from a seed, while clients watch what they were promised. */
import { Random } from "../../sim/random.ts";
import type { Outcome } from "../faults/experiment.ts";
import { grouped } from "../faults/experiment.ts";
import { Growth } from "../faults/growth.ts";
import { FAULT_MS, FAULTS, inflict } from "../faults/inflict.ts";
import {
  type Client,
  openSite,
  type Site,
  sleep,
  until,
} from "../faults/site.ts";
import type { StorageWord } from "../../roles/storage_word.ts";
import { now_ms } from "../faults/watch.ts";
import { SmallDisk } from "./small_disk.ts";
import { judge, RegisterClients } from "./registers.ts";

/** What a run is asked for. */
export interface TortureOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly storage: StorageWord;
  /** For logs, values and storage; exists. */
  readonly folder: string;
  /** Called with every line of progress, for people. */
  readonly say: (text: string) => void;
}

/** Beside what can happen to one member alone. */
const MORE = [
  "kill two",
  "kill all",
  "kill learner",
  "kill clients",
  "fill disk",
  "restart on full disk",
  "replace disk",
] as const;
type Fault = (typeof FAULTS)[number] | (typeof MORE)[number];
/** Some are drawn more often: storage is what this is about. */
const DRAWN: readonly Fault[] = [...FAULTS, ...MORE, "kill all", "fill disk"];

const LOAD_HOSTS = ["c1", "c2"];
const REGISTER_HOSTS = ["c3", "c4"];
/** Its disk is so small that it can be filled. */
const CRAMPED = "replica 3";
/** Its disk is replaced: it votes on, but what it should deliver may be trimmed elsewhere by then. */
const RENEWED = "replica 2";
const DISK_BYTES = 256 << 20;
/** Less than the small disk, so that it is the disk that fills and not the map. */
const MAP = ["--lmdb-mapsize", "192mb"];
/** Clients' values that are under way: the disk is to be shaken, not filled within seconds. */
const OUTSTANDING = "4";
/** How long all is well between two faults. */
const CALM_MS = [100, 2_000] as const;
const PROGRESS_MS = 10_000;
const FIRST_MS = 30_000;
/** Longest time in which an acceptor fetches what its lost disk held: a commit for every 64 instances. */
const REFILL_MS = 600_000;
/** Nothing may stand still for longer while nothing is done to it. */
const PAUSE_MS_MAX = 15_000;
const STOP_MS = 10_000;
/** What an acceptor without its memory logs when it is whole again. */
const REPLACED = /has fetched what it may have held/;
/** The last delivery before a fault comes a little earlier than the fault. */
const LOOK_BACK_MS = 100;

/** Runs for so long, and checks. */
export async function torture(options: TortureOptions): Promise<Outcome> {
  const { seed, storage, folder } = options;
  using disk = new SmallDisk(`${folder}/small`, DISK_BYTES);
  await using site = await openSite({
    topology: "replicas",
    clients: LOAD_HOSTS.length + REGISTER_HOSTS.length,
    recorded: ["replica 1", CRAMPED],
    storage,
    storageOf: (name) => name === CRAMPED ? disk.folder : `${folder}/storage`,
    optionsOf: (name) => storage !== "memory" && name === CRAMPED ? MAP : [],
    folder,
    // Each fault is in the events' file; progress has its own lines.
    say: () => {},
  }, 1);
  return await new Torture(options, site, disk, new Random(seed)).run();
}

/** A fault and when it began and was undone, ms since 1970. */
interface Done {
  readonly fault: Fault;
  readonly from_ms: number;
  readonly to_ms: number;
}

class Torture {
  readonly #options: TortureOptions;
  readonly #site: Site;
  readonly #disk: SmallDisk;
  readonly #random: Random;
  readonly #history: ConstructorParameters<typeof RegisterClients>[3] = [];
  readonly #registers: RegisterClients[];
  readonly #load: Client[] = [];
  /** What was done, and when, ms since 1970. */
  readonly #faults: Done[] = [];
  readonly #broken: string[] = [];

  constructor(
    options: TortureOptions,
    site: Site,
    disk: SmallDisk,
    random: Random,
  ) {
    this.#options = options;
    this.#site = site;
    this.#disk = disk;
    this.#random = random;
    this.#registers = REGISTER_HOSTS.map((host) =>
      new RegisterClients(site, host, new Random(random.u32()), this.#history)
    );
  }

  async run(): Promise<Outcome> {
    const site = this.#site;
    await site.start(1);
    await site.led();
    const growth = new Growth(() => site.records);
    this.#tend();
    for (const it of this.#registers) it.start();
    try {
      await Promise.race([growth.next(), sleep(FIRST_MS)]);
      await this.#inflict(growth);
    } catch (error) {
      this.#broken.push((error as Error).message);
    }
    growth.close();
    this.#options.say("checking what was delivered");
    await Promise.all(this.#registers.map((it) => it.stop(STOP_MS)));
    for (const { process } of this.#load) process.signal("SIGTERM");
    await Promise.all(this.#load.map(({ process }) => process.ended));
    return await this.#conclude(growth);
  }

  async #inflict(growth: Growth): Promise<void> {
    const end_ms = now_ms() + this.#options.seconds * 1000;
    const progress = setInterval(
      () => this.#tell(end_ms - now_ms(), growth),
      PROGRESS_MS,
    );
    try {
      while (now_ms() < end_ms) await this.#inflictOne();
    } finally {
      clearInterval(progress);
    }
  }

  async #inflictOne(): Promise<void> {
    const fault = this.#random.pick(DRAWN);
    const from_ms = now_ms();
    await this.#do(fault);
    this.#faults.push({ fault, from_ms, to_ms: now_ms() });
    this.#tend();
    await sleep(this.#random.between(...CALM_MS));
  }

  #tell(left_ms: number, growth: Growth): void {
    this.#options.say(
      `${Math.max(0, left_ms / 1000).toFixed(0).padStart(5)} s left: ` +
        `${this.#faults.length} faults, ${
          grouped(this.#history.length)
        } register operations, ` +
        `longest without a delivery ${seconds(growth.longest_ms)}`,
    );
  }

  /** Starts the clients that have ended. */
  #tend(): void {
    LOAD_HOSTS.forEach((host, i) => {
      if (this.#load[i]?.process.hasEnded === false) return;
      const options = ["--outstanding", OUTSTANDING];
      this.#load[i] = this.#site.client(options, { host });
    });
  }

  async #do(fault: Fault): Promise<void> {
    const site = this.#site;
    const lasts_ms = this.#random.between(...FAULT_MS);
    switch (fault) {
      case "kill two": {
        const spared = this.#random.pick(site.members);
        return await this.#kill(
          site.members.filter((it) => it !== spared),
          lasts_ms,
        );
      }
      case "kill learner":
        return await this.#kill(
          site.nodes.filter((it) => it.startsWith("learner")),
          lasts_ms,
        );
      case "kill all":
        await site.killAll();
        await Promise.all(site.nodes.map((it) => site.restart(it)));
        return;
      case "kill clients":
        site.note("kill -9 of a client and of clients of registers");
        this.#random.pick(this.#load).process.signal("SIGKILL");
        return this.#random.pick(this.#registers).kill();
      case "fill disk":
        site.note(`the disk of ${CRAMPED} is full for ${lasts_ms} ms`);
        this.#disk.fill();
        await sleep(lasts_ms);
        return this.#disk.free();
      case "replace disk":
        return await this.#replaceDisk(RENEWED);
      case "restart on full disk":
        site.note(`the disk of ${CRAMPED} is full`);
        this.#disk.fill();
        await this.#kill([CRAMPED], lasts_ms);
        site.note(`${CRAMPED} runs on its full disk`);
        await sleep(lasts_ms);
        return this.#disk.free();
      default:
        return await inflict(site, fault, this.#random, site.members);
    }
  }

  /** What the node stored is gone; it takes part again when it has fetched what it may have held. */
  async #replaceDisk(name: string): Promise<void> {
    const site = this.#site;
    site.kill(name);
    await site.process(name).ended;
    site.note(`${name} gets a new disk`);
    Deno.removeSync(
      `${this.#options.folder}/storage/${name.replace(" ", "-")}`,
      { recursive: true },
    );
    await site.restart(name);
    const { errors } = site.process(name);
    await until(
      () => errors.lines.some((it) => REPLACED.test(it)),
      `${name} has fetched what it may have held before its disk was replaced`,
      REFILL_MS,
    );
  }

  async #kill(victims: readonly string[], lasts_ms: number): Promise<void> {
    const site = this.#site;
    for (const name of victims) site.kill(name);
    await Promise.all(victims.map((name) => site.process(name).ended));
    await sleep(lasts_ms);
    await Promise.all(victims.map((name) => site.restart(name)));
  }

  /** How much of the longest pause passed while a fault lasted, or nodes were being started again. */
  #underFaults_ms({ longest_ms, longestFrom_ms }: Growth): number {
    const pause = [longestFrom_ms, longestFrom_ms + longest_ms] as const;
    return this.#faults.reduce(
      (sum, { from_ms, to_ms }) => sum + overlap_ms(pause, [from_ms, to_ms]),
      0,
    );
  }

  async #conclude(growth: Growth): Promise<Outcome> {
    const { report, wrong } = await this.#site.check(false);
    const registers = judge(this.#history, this.#site.records[0]);
    const delivered = Math.max(...report.learners.map((it) => it.delivered));
    const faults = Object.groupBy(this.#faults, ({ fault }) => fault);
    const counts = Object.entries(faults).map(([name, all]) =>
      [name, all.length] as const
    ).toSorted();
    const { longest_ms, longestFrom_ms } = growth;
    const worst =
      this.#faults.findLast(({ from_ms }) =>
        from_ms <= longestFrom_ms + LOOK_BACK_MS
      )?.fault ?? "the start";
    const calm_ms = longest_ms - this.#underFaults_ms(growth);
    return {
      broken: [...this.#broken, ...wrong, ...registers.wrong],
      missed: calm_ms <= PAUSE_MS_MAX ? [] : [
        `nothing was delivered for ${seconds(longest_ms)}, of which no fault ` +
        `lasted for ${seconds(calm_ms)}: ${worst}`,
      ],
      figures: {
        seed: this.#options.seed,
        faults: Object.fromEntries(counts),
        delivered,
        acknowledged: report.acknowledged,
        registers: { operations: registers.operations, open: registers.open },
        longest_ms,
        worst,
      },
      lines: [
        `faults: ${
          counts.map(([name, count]) => `${name} ${count}`).join(", ")
        }`,
        `${grouped(delivered)} values delivered, ${
          grouped(report.acknowledged?.values ?? 0)
        } acknowledged`,
        `${grouped(registers.operations)} reads and writes of registers, ` +
        `${registers.open} of them never answered: ${
          registers.wrong.length === 0 ? "linearizable" : "NOT linearizable"
        }`,
        `longest without a delivery: ${seconds(longest_ms)} (${worst})`,
      ],
    };
  }
}

/** How long two times overlap. */
function overlap_ms(
  a: readonly [number, number],
  b: readonly [number, number],
) {
  return Math.max(0, Math.min(a[1], b[1]) - Math.max(a[0], b[0]));
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
