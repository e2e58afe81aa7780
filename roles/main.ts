/** The program as a shell sees it: arguments in, text and an exit code out. */

import { parseCommandLine, type Request } from "./arguments.ts";
import { checkRun } from "./check.ts";
import { formatReport, reportExitCode } from "./check_report.ts";
import type { CommandName, OptionValues } from "./commands.ts";
import { completionScript, type Shell } from "./completions.ts";
import { EXIT, UserError } from "./errors.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { startNodeWorker } from "./node_worker.ts";
import {
  benchOptions,
  demoOptions,
  nodeOptions,
  simOptions,
  statusOptions,
} from "./options.ts";
import { formatVersions, versions } from "./version.ts";

/** Where text goes. */
export interface Console {
  /** Data, on standard output. */
  out(text: string): void;
  /** Text for people, on standard error. */
  err(text: string): void;
}

/**
 * Runs one command.
 *
 * @param args The arguments after `kpaxos`.
 * @returns The exit code, one of EXIT.
 */
export async function main(
  args: readonly string[],
  console: Console,
): Promise<number> {
  try {
    return await answer(parseCommandLine(args), console);
  } catch (error) {
    // Whoever read this had enough, as in `kpaxos help | head -1`: nothing is left to say to them.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.failed;
    if (error instanceof UserError) {
      console.err(error.message.replace(/^/gm, "kpaxos: ") + "\n");
      return error.exitCode;
    }
    const stack = error instanceof Error && error.stack !== undefined
      ? error.stack
      : String(error);
    console.err(`kpaxos: this is a bug; please report it with:\n${stack}\n`);
    return EXIT.failed;
  }
}

function answer(
  request: Request,
  console: Console,
): number | Promise<number> {
  switch (request.kind) {
    case "usage":
      console.err(generalHelp());
      return EXIT.usage;
    case "help":
      console.out(
        request.command === undefined
          ? generalHelp()
          : commandHelp(request.command),
      );
      return EXIT.done;
    case "command":
      return run(request.command, request.values, request.operand, console);
  }
}

async function run(
  command: CommandName,
  values: OptionValues,
  operand: string | undefined,
  console: Console,
): Promise<number> {
  switch (command) {
    case "replica":
    case "acceptor":
    case "proposer":
    case "learner":
    case "client": {
      const options = nodeOptions(command, values);
      const worker = startNodeWorker();
      // Loaded when it is needed, so that help works where the card's library does not load.
      const { runNode } = await import("./run.ts");
      return await runNode(options, worker);
    }
    case "demo": {
      const { runDemo } = await import("./demo.ts");
      return await runDemo(demoOptions(values));
    }
    case "bench": {
      const { runBench } = await import("./bench/command.ts");
      return await runBench(benchOptions(values), console);
    }
    case "check":
      return check(values, console);
    case "status": {
      const { runStatus } = await import("./status.ts");
      return runStatus(statusOptions(values), console);
    }
    case "inspect": {
      const { runInspect } = await import("./inspect.ts");
      const { instance, verify, json } = values;
      return runInspect({
        directory: operand!,
        instance,
        verify: verify === true,
        json: json === true,
      }, console);
    }
    case "sim": {
      const { runSim } = await import("../sim/command.ts");
      return await runSim(simOptions(values), console);
    }
    case "version":
      console.out(formatVersions(versions(), values.json === true) + "\n");
      return EXIT.done;
    case "completions":
      console.out(completionScript(operand as Shell));
      return EXIT.done;
  }
}

function check(values: OptionValues, console: Console): number {
  const report = checkRun({
    proposed: values.proposed!,
    learned: values.learned!,
    acknowledged: values.acknowledged ?? [],
  });
  const { out, err } = formatReport(report, values.json === true);
  console.err(err);
  console.out(out);
  return reportExitCode(report, values["require-termination"] === true);
}
