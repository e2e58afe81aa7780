/** Text as C wants it. */

/** A copy of `text` that ends with a zero byte. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
