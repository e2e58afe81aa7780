/** Loads a shared library that the program holds as bytes, with no file on disk. */

const MFD_CLOEXEC = 1;

/**
 * Opens the library held in `bytes`, as `embedLibrary` keeps it.
 *
 * @throws {Error} if the kernel has no memfd or the library cannot be loaded.
 */
export function openEmbedded<
  const Symbols extends Deno.ForeignLibraryInterface,
>(
  name: string,
  bytes: Uint8Array,
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> {
  return Deno.dlopen(embedLibrary(name, bytes), symbols);
}

/**
 * Puts a library into a memory file, which stays open for the life of the process: the loader
 * knows a library by its path, and a later one under the same descriptor would be taken for this one.
 *
 * @param name Shown in /proc/PID/maps, for people who debug.
 * @returns The path to open it by. Threads that open the same path have the same library.
 * @throws {Error} if the kernel has no memfd.
 */
export function embedLibrary(name: string, bytes: Uint8Array): string {
  const libc = Deno.dlopen("libc.so.6", {
    // int memfd_create(const char *name, unsigned int flags)
    memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  });
  const fd = libc.symbols.memfd_create(
    new TextEncoder().encode(`${name}\0`),
    MFD_CLOEXEC,
  );
  libc.close();
  if (fd < 0) {
    throw new Error(
      `Cannot load ${name}: memfd_create failed; kpaxos needs Linux 3.17 or later`,
    );
  }
  const path = `/proc/self/fd/${fd}`;
  Deno.writeFileSync(path, bytes);
  return path;
}
