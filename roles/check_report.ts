/** What `kpaxos check` says: the verdict for people, or everything for a program. */

import type { Property, Report } from "./check.ts";
import { EXIT } from "./errors.ts";

/** The verdict in one line: `agreement ok, integrity ok, no duplicates, 100% terminated`. */
export function verdict(report: Report): string {
  const violated = (property: Property) =>
    report.violations.some((it) => it.property === property);
  return [
    (["agreement", "order", "repetition"] as const).some(violated)
      ? "agreement VIOLATED"
      : "agreement ok",
    violated("integrity") ? "integrity VIOLATED" : "integrity ok",
    violated("duplicates") ? "DUPLICATES" : "no duplicates",
    ...(report.acknowledged === undefined ? [] : [
      violated("durability") ? "durability VIOLATED" : "durability ok",
    ]),
    `${report.terminated_percent}% terminated`,
  ].join(", ");
}

/** The report as text for standard output and standard error. */
export function formatReport(
  report: Report,
  json: boolean,
): { out: string; err: string } {
  if (json) {
    const ok = report.violations.length === 0;
    const line = { ok, verdict: verdict(report), ...report };
    return { out: JSON.stringify(line) + "\n", err: "" };
  }
  const delivered = report.learners.map(({ file, delivered }) =>
    `${file} ${delivered}`
  );
  const err = [
    `proposed ${report.proposed}${
      report.acknowledged === undefined
        ? ""
        : `, acknowledged ${report.acknowledged.values}`
    }; delivered: ${delivered.join(", ")}`,
    ...report.warnings.map((it) => `warning: ${it}`),
    ...report.violations.map(({ property, file, line, message }) =>
      `${file}:${line}: ${property}: ${message}`
    ),
  ];
  return { out: verdict(report) + "\n", err: err.join("\n") + "\n" };
}

/** 1 on any violation, and on a value that not all delivered where that is required. */
export function reportExitCode(
  { violations, proposed, deliveredByAll }: Report,
  requireTermination: boolean,
): number {
  // A run in which nothing was proposed proves nothing.
  const terminated = proposed > 0 && deliveredByAll === proposed;
  return violations.length > 0 || (requireTermination && !terminated)
    ? EXIT.failed
    : EXIT.done;
}
