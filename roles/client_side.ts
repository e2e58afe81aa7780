/** What a client adds to the node: its values, its figures, and when it is done. */
import { chunkBytesFit, type Core, valueBytesFit } from "../core/core.ts";
import { BALLOT_ID_BITS, Counter, Gauge } from "../core/layout.ts";
import type { Nic } from "../ffi/nic.ts";
import { diagnose } from "./diagnosis.ts";
import { LineFile } from "./line_file.ts";
import { Meter } from "./meter.ts";
import type { Workload } from "./node.ts";
import type { NodeStart } from "./thread.ts";
import { type FiniteWorkload, LineWorkload, LoadWorkload } from "./workload.ts";

const SECOND_US = 1_000_000;
/** Without an answer for this long, a client says why. */
const SILENT_US = 2_000_000;
/** How long the last values may take when a client that runs for a time has sent its last. */
const DRAIN_US = 3_000_000;

/** The client's side of a node. */
export class ClientSide implements Workload {
  readonly meter: Meter;
  readonly #workload: FiniteWorkload;
  readonly #start: NodeStart;
  readonly #core: Core;
  readonly #stats?: LineFile;
  readonly #submitted?: LineFile;
  readonly #acknowledged?: LineFile;
  readonly #stopAt_us: number;
  /** What is answered before is left out of the summary. */
  #warmAt_us: number;
  #answeredAt_us: number;
  #answered = 0;
  /** Values submitted and not answered; a large one is one. */
  #unanswered = 0;
  #heardAt_us: number[];
  #givenUp = false;

  constructor(start: NodeStart, core: Core, mtu: number, now_us: number) {
    const client = start.options.client!;
    this.#start = start;
    this.#core = core;
    this.meter = new Meter(now_us);
    this.#answeredAt_us = now_us;
    this.#heardAt_us = start.options.configuration.acceptors.map(() =>
      -Infinity
    );
    this.#warmAt_us = now_us + client.warmUp_s * SECOND_US;
    this.#stopAt_us = client.seconds === undefined
      ? Infinity
      : this.#warmAt_us + client.seconds * SECOND_US;
    if (client.statsFile !== undefined) {
      this.#stats = new LineFile(client.statsFile, "latencies");
    }
    if (client.submittedFile !== undefined) {
      this.#submitted = new LineFile(
        client.submittedFile,
        "submitted values",
      );
    }
    if (client.acknowledgedFile !== undefined) {
      this.#acknowledged = new LineFile(
        client.acknowledgedFile,
        "acknowledged values",
      );
    }
    const onSubmit = (value: Uint8Array) => {
      this.#unanswered++;
      this.meter.submit(value.length);
      this.#submitted?.write(value);
    };
    const onComplete = (latency_us: number) => {
      this.#unanswered--;
      this.meter.record(latency_us);
      this.#stats?.write(String(latency_us));
    };
    const options = {
      clients: client.clients,
      outstanding: client.outstanding,
      valueBytesFit: valueBytesFit(mtu),
      chunkBytesFit: chunkBytesFit(mtu),
      onSubmit,
      onAcknowledge: this.#acknowledged === undefined
        ? undefined
        : (value: Uint8Array) => this.#acknowledged!.write(value),
      onComplete,
    };
    this.#workload = start.lines === undefined
      ? new LoadWorkload({
        ...options,
        valueBytes: client.valueBytes,
        count: client.count,
        prefix: start.firstClient.toString(36),
      })
      : new LineWorkload(start.lines, options);
  }

  /** Values submitted and not answered; a large one is one. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Everything that was to be sent is answered, or the time for it is over. */
  get done(): boolean {
    return this.#givenUp ||
      (this.#workload.exhausted &&
        this.#core.gauge(Gauge.inFlightValues) === 0);
  }

  /** Submits what fits. Its file has it before a frame does: should this process die, nobody may be seen to have made it up. */
  fill(core: Core, now_us: number): number {
    const submitted = this.#workload.fill(core, now_us);
    this.#submitted?.flush();
    return submitted;
  }

  complete(client: number, sequence: number, latency_us: number): void {
    this.#workload.complete(client, sequence, latency_us);
  }

  /** Looks at the clock after a turn, and lets the file have what was acknowledged in it. */
  each(now_us: number): void {
    this.#acknowledged?.flush();
    if (now_us >= this.#warmAt_us) {
      this.#warmAt_us = Infinity;
      this.meter.begin(now_us, this.#core.counter(Counter.retries));
    }
    if (now_us >= this.#stopAt_us) this.#workload.stop();
    if (now_us >= this.#stopAt_us + DRAIN_US) this.#givenUp = true;
    const answered = this.#core.counter(Counter.completed);
    const idle = this.#core.gauge(Gauge.inFlightValues) === 0 &&
      this.#core.gauge(Gauge.sessionsPending) === 0;
    if (answered !== this.#answered || idle) {
      this.#answered = answered;
      this.#answeredAt_us = now_us;
    }
  }

  /** Why nothing is decided; undefined while values are, or while nothing is asked for. Call it once a second. */
  reason(nic: Nic, interfaceDown: boolean, now_us: number): string | undefined {
    const { configuration, client, interfaceName } = this.#start.options;
    const heard = this.#core.gauge(Gauge.acceptorsHeard);
    this.#core.clearGauge(Gauge.acceptorsHeard);
    configuration.acceptors.forEach((_, i) => {
      if ((heard >> i & 1) === 1) this.#heardAt_us[i] = now_us;
    });
    this.#stats?.flush();
    if (now_us - this.#answeredAt_us < SILENT_US) return undefined;
    const ids = configuration.acceptors.map(({ id }) => id);
    const leaderHeard_us = this.#core.gauge(Gauge.leaderHeard_us);
    return diagnose({
      frames: nic.stats().receivedFrames,
      leaderSilence_us: leaderHeard_us === 0
        ? undefined
        : now_us - leaderHeard_us,
      leader: this.#core.gauge(Gauge.leaderBallot) % 2 ** BALLOT_ID_BITS,
      insisted: client?.proposerId ?? 0,
      acceptors: ids.filter((_, i) =>
        now_us - this.#heardAt_us[i] <= SILENT_US
      ),
      allAcceptors: ids,
      quorum: Math.floor(ids.length / 2) + 1,
      sessionsPending: this.#core.gauge(Gauge.sessionsPending),
      interfaceDown,
      interfaceName,
      cluster: configuration.cluster,
    });
  }

  /** Writes what is left of the files. */
  close(): void {
    this.#stats?.close();
    this.#submitted?.close();
    this.#acknowledged?.close();
  }
}
