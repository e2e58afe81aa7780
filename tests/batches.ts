/** Batches as they stand on the wire. */

const encoder = new TextEncoder();

/** A batch of values, each in a run of its own: client, sequence number, text. */
export function batchOf(
  values: readonly (readonly [number, number, string])[],
): Uint8Array {
  const bytes: number[] = [];
  const little = (value: number, count: number) => {
    for (let rest = value; count > 0; count--) {
      bytes.push(rest % 256);
      rest = Math.floor(rest / 256);
    }
  };
  for (const [client, sequence, text] of values) {
    const value = encoder.encode(text);
    little(client, 8);
    little(sequence, 6);
    little(1, 2);
    little(value.length, 2);
    bytes.push(...value);
    while (bytes.length % 8 !== 0) bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

/** A batch of commands that open the sessions of these clients. */
export function opensOf(...clients: readonly number[]): Uint8Array {
  const bytes = clients.flatMap((client) => {
    const command = [...batchOf([[client, 0, "0".repeat(16)]])];
    // Born 1, to open, without flags.
    command.splice(18, 16, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    return command;
  });
  return Uint8Array.from(bytes);
}
