/*
 * Starts the program that is appended to this executable: Deno and the bundled kpaxos.
 *
 *   ./kpaxos = this launcher | padding | Deno's executable | program.js | trailer
 *
 * The trailer is the last 512 bytes of the file, one line of text padded with spaces:
 *
 *   kpaxos-launcher 1 RUNTIME_OFFSET RUNTIME_SIZE RUNTIME_HASH PROGRAM_OFFSET PROGRAM_SIZE PROGRAM_HASH
 *
 * where sizes are in bytes and hashes are the first 32 hex digits of BLAKE2b-512, as
 * b2sum(1) prints it.
 *
 * Deno's executable is unpacked once into a private folder, so that all kpaxos processes
 * share its pages, and is executed from there; where no such folder can be had it is
 * executed from a memfd. The program itself is small and always comes from a memfd.
 * exec() keeps the process: its id, signals and exit code are the program's own.
 *
 * What is executed is only ever a file that nobody but this user (and root) can have
 * written: every folder below the cache is opened by descriptor, checked for its owner and
 * mode, and the file is executed through that descriptor, so renaming folders meanwhile
 * gains nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRAILER_BYTES 512
/* A path that nothing can be at. */
#define NO_FOLDER "/dev/null/deno"
#define HASH_HEX 32
#define EXIT_ENVIRONMENT 3

#ifndef MFD_EXEC /* since Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif

/* A part of this file: where it is, and what it must hash to. */
struct part {
  uint64_t offset, size;
  char hash[HASH_HEX + 1];
};

/* Why no folder was good enough so far; shown only when nothing else works either. */
static char reasons[2048];

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("kpaxos: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(EXIT_ENVIRONMENT);
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...) {
  size_t used = strlen(reasons);
  va_list arguments;
  va_start(arguments, format);
  used += (size_t)snprintf(reasons + used, sizeof reasons - used, "\n  ");
  if (used < sizeof reasons) vsnprintf(reasons + used, sizeof reasons - used, format, arguments);
  va_end(arguments);
}

/* ---- BLAKE2b-512 (RFC 7693): quick without special instructions, and b2sum(1) agrees ---- */

struct blake2b {
  uint64_t state[8], bytes;
  uint8_t block[128];
  size_t filled;
};

static const uint64_t blake2b_iv[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

static const uint8_t blake2b_order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static uint64_t rotate_right(uint64_t x, int bits) { return x >> bits | x << (64 - bits); }

static void blake2b_mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y) {
  v[a] += v[b] + x;
  v[d] = rotate_right(v[d] ^ v[a], 32);
  v[c] += v[d];
  v[b] = rotate_right(v[b] ^ v[c], 24);
  v[a] += v[b] + y;
  v[d] = rotate_right(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = rotate_right(v[b] ^ v[c], 63);
}

/* `bytes` counts all input up to and including this block (RFC 7693, function F). */
static void blake2b_compress(struct blake2b *h, const uint8_t *block, bool last) {
  uint64_t v[16], m[16];
  memcpy(m, block, sizeof m); /* little-endian machines only, as Deno itself */
  memcpy(v, h->state, sizeof h->state);
  memcpy(v + 8, blake2b_iv, sizeof blake2b_iv);
  v[12] ^= h->bytes;
  if (last) v[14] = ~v[14];
  for (int round = 0; round < 12; round++) {
    const uint8_t *s = blake2b_order[round % 10];
    blake2b_mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    blake2b_mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    blake2b_mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    blake2b_mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    blake2b_mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    blake2b_mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    blake2b_mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    blake2b_mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; i++) h->state[i] ^= v[i] ^ v[i + 8];
}

static void blake2b_start(struct blake2b *h) {
  memset(h, 0, sizeof *h);
  memcpy(h->state, blake2b_iv, sizeof blake2b_iv);
  h->state[0] ^= 0x01010000 ^ 64; /* no key, fan-out 1, depth 1, 64 bytes of digest */
}

static void blake2b_add(struct blake2b *h, const uint8_t *data, size_t size) {
  while (size > 0) {
    /* The last block is compressed differently, so a full one waits for the next byte. */
    if (h->filled == sizeof h->block) {
      h->bytes += sizeof h->block;
      blake2b_compress(h, h->block, false);
      h->filled = 0;
    }
    size_t count = sizeof h->block - h->filled;
    if (count > size) count = size;
    memcpy(h->block + h->filled, data, count);
    h->filled += count;
    data += count;
    size -= count;
  }
}

static void blake2b_end(struct blake2b *h, char hex[HASH_HEX + 1]) {
  h->bytes += h->filled;
  memset(h->block + h->filled, 0, sizeof h->block - h->filled);
  blake2b_compress(h, h->block, true);
  for (int i = 0; i < HASH_HEX / 2; i++)
    sprintf(hex + 2 * i, "%02x", (unsigned)(h->state[i / 8] >> 8 * (i % 8) & 0xff));
}

/* ---- reading this file ---- */

static bool write_all(int fd, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t count = write(fd, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    data += count;
    size -= (size_t)count;
  }
  return true;
}

/*
 * Reads a part of `from`, hashes it, and writes it to `to` unless that is -1.
 * 0: done and the hash is right. EBADMSG: the bytes are not what they should be.
 * Any other errno: reading or writing failed.
 */
static int copy_part(int from, const struct part *part, int to) {
  static uint8_t buffer[1 << 18];
  struct blake2b hash;
  char hex[HASH_HEX + 1];
  blake2b_start(&hash);
  for (uint64_t done = 0; done < part->size;) {
    uint64_t left = part->size - done;
    size_t want = left < sizeof buffer ? (size_t)left : sizeof buffer;
    ssize_t count = pread(from, buffer, want, (off_t)(part->offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return EBADMSG;
    blake2b_add(&hash, buffer, (size_t)count);
    if (to >= 0 && !write_all(to, buffer, (size_t)count)) return errno;
    done += (uint64_t)count;
  }
  blake2b_end(&hash, hex);
  return strcmp(hex, part->hash) == 0 ? 0 : EBADMSG;
}

__attribute__((noreturn)) static void die_damaged(const char *self) {
  die("%s is damaged: the program appended to it is cut short or altered. "
      "Copy the file again (strip and packers remove what is appended).", self);
}

static void read_trailer(int fd, const char *self, struct part *runtime, struct part *program) {
  char text[TRAILER_BYTES + 1] = "";
  struct stat st;
  if (fstat(fd, &st) != 0 || st.st_size < TRAILER_BYTES ||
      pread(fd, text, TRAILER_BYTES, st.st_size - TRAILER_BYTES) != TRAILER_BYTES)
    die_damaged(self);
  if (sscanf(text, "kpaxos-launcher 1 %lu %lu %32[0-9a-f] %lu %lu %32[0-9a-f] ", &runtime->offset,
             &runtime->size, runtime->hash, &program->offset, &program->size, program->hash) != 6 ||
      strlen(runtime->hash) != HASH_HEX || strlen(program->hash) != HASH_HEX)
    die_damaged(self);
  uint64_t end = (uint64_t)st.st_size - TRAILER_BYTES;
  if (program->offset > end || program->size != end - program->offset ||
      runtime->offset > program->offset || runtime->size > program->offset - runtime->offset)
    die_damaged(self);
}

/* ---- the private folder ---- */

/* True if nobody but this user and root can have put `st` there or changed it. */
static bool is_private(const struct stat *st) {
  return st->st_uid == geteuid() && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Opens folder `name` in `parent`, making it if needed; -1 with a note if it is not private. */
static int open_private_folder(int parent, const char *name, const char *base) {
  if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
    note("%s/%s: cannot make this folder: %s", base, name, strerror(errno));
    return -1;
  }
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) {
    note("%s/%s: cannot open this folder: %s", base, name, strerror(errno));
  } else if (!is_private(&st)) {
    note("%s/%s: belongs to another user or can be written by others; remove it, or "
         "chmod 700 it", base, name);
  } else {
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

/* What changes whenever a file's content does; a note of it spares hashing 90 MB at each start. */
static int describe(const struct stat *st, char *text, size_t size) {
  return snprintf(text, size, "%lu %ld %ld.%09ld %ld.%09ld\n", (unsigned long)st->st_ino,
                  (long)st->st_size, (long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                  (long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

/*
 * True if `folder` holds the runtime, whole and unaltered. A file that still has the inode,
 * size and times noted in "checked" is taken as it is; any other is hashed first.
 */
static bool runtime_is_good(int folder, const struct part *runtime) {
  struct stat st;
  char now[160], checked[160] = "";
  int fd = openat(folder, "kpaxos", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_private(&st) &&
              (uint64_t)st.st_size == runtime->size;
  if (good) {
    int length = describe(&st, now, sizeof now);
    int note_fd = openat(folder, "checked", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (note_fd < 0 || read(note_fd, checked, sizeof checked - 1) != length ||
        strcmp(checked, now) != 0) {
      struct part whole = *runtime;
      whole.offset = 0;
      good = copy_part(fd, &whole, -1) == 0;
      /* Only a saving: if it cannot be written, the next start hashes again. */
      if (good && note_fd >= 0 && ftruncate(note_fd, 0) == 0 &&
          pwrite(note_fd, now, (size_t)length, 0) != length)
        good = ftruncate(note_fd, 0) == 0;
    }
    if (note_fd >= 0) close(note_fd);
  }
  if (fd >= 0) close(fd);
  return good;
}

/* Writes the runtime into `folder`: aside, to disk, then in one step to its name. */
static bool unpack_runtime(int self, const char *self_path, int folder, const struct part *runtime,
                           const char *base) {
  /* The lock makes this the only writer, so a file left by a killed one can go. */
  unlinkat(folder, "unpacking", 0);
  int fd = openat(folder, "unpacking", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
  int failure = fd < 0 ? errno : copy_part(self, runtime, fd);
  if (failure == EBADMSG) {
    unlinkat(folder, "unpacking", 0);
    die_damaged(self_path);
  }
  if (failure == 0 && fsync(fd) != 0) failure = errno;
  /* Closed before it gets its name: a file open for writing cannot be executed. */
  if (fd >= 0 && close(fd) != 0 && failure == 0) failure = errno;
  if (failure == 0 && renameat(folder, "unpacking", folder, "kpaxos") != 0) failure = errno;
  if (failure == 0) return true;
  note("%s/%s: cannot unpack there: %s", base, runtime->hash, strerror(failure));
  unlinkat(folder, "unpacking", 0);
  return false;
}

/* Descriptor of a folder whose file "kpaxos" is the runtime, or -1. `name` may be NULL: base itself. */
static int find_runtime(int self, const char *self_path, const char *base, const char *name,
                        const struct part *runtime) {
  int parent = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;
  if (parent < 0 || fstat(parent, &st) != 0) {
    note("%s: %s", base, strerror(errno));
    return -1;
  }
  if (st.st_uid != geteuid() && st.st_uid != 0) {
    note("%s: belongs to another user", base);
    return -1;
  }
  int cache = parent;
  if (name != NULL) {
    cache = open_private_folder(parent, name, base);
  } else if (!is_private(&st)) {
    note("%s: is not private to this user", base);
    return -1;
  }
  int folder = cache < 0 ? -1 : open_private_folder(cache, runtime->hash, base);
  if (folder < 0 || runtime_is_good(folder, runtime)) return folder;
  /* Others that start at the same moment wait here, and then find the file. */
  if (flock(folder, LOCK_EX) != 0) {
    note("%s: cannot lock: %s", base, strerror(errno));
    return -1;
  }
  if (!runtime_is_good(folder, runtime) &&
      !(unpack_runtime(self, self_path, folder, runtime, base) &&
        runtime_is_good(folder, runtime)))
    return -1;
  flock(folder, LOCK_UN);
  return folder;
}

/* ---- memory files ---- */

/* A sealed memory file holding `part`; dies when it cannot be made. */
static int memory_file(int self, const char *self_path, const struct part *part, bool executable) {
  unsigned flags = MFD_ALLOW_SEALING | (executable ? MFD_CLOEXEC : 0);
  int fd = memfd_create("kpaxos", flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
  if (fd < 0 && errno == EINVAL) fd = memfd_create("kpaxos", flags); /* before Linux 6.3 */
  int failure = fd < 0 ? errno : copy_part(self, part, fd);
  if (failure == EBADMSG) die_damaged(self_path);
  if (failure == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    failure = errno;
  if (failure != 0)
    die("cannot unpack %s into memory: %s. Free memory, or set XDG_CACHE_HOME to a folder of "
        "your own with 100 MB to spare.%s%s", self_path, strerror(failure),
        reasons[0] ? " Folders tried:" : "", reasons);
  return fd;
}

/* ---- privileges given to this file with setcap(8) ---- */

/*
 * Hands the file's capabilities on to the runtime, which has none of its own, through the
 * ambient set (capabilities(7)), and drops an environment that could make another program
 * of it: whoever may start this file gains kpaxos, not the capabilities.
 */
static void keep_capabilities(void) {
  static const char *const kept[] = {"HOME", "LANG", "LC_ALL", "LOGNAME", "NO_COLOR", "TERM", "USER"};
  char *values[sizeof kept / sizeof *kept];
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (getuid() != geteuid() || getgid() != getegid())
    die("must not be set-user-id or set-group-id. Remove that bit (chmod ug-s) and use "
        "setcap cap_net_raw+ep, or sudo.");
  if (syscall(SYS_capget, &header, data) != 0) die("cannot read capabilities: %s", strerror(errno));
  for (int i = 0; i < 2; i++) data[i].inheritable = data[i].permitted;
  if (syscall(SYS_capset, &header, data) != 0) die("cannot pass capabilities on: %s", strerror(errno));
  for (int capability = 0; capability < 64; capability++)
    if (data[capability / 32].permitted & 1U << capability % 32)
      prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) values[i] = getenv(kept[i]);
  clearenv();
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (values[i] != NULL) setenv(kept[i], values[i], 1);
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

/* ---- starting ---- */

/*
 * Lets Deno keep the compiled program in the runtime's folder, as private as the runtime: a start
 * then takes half as long. As Deno opens files there by name, it gets an open descriptor's.
 */
static void keep_compiled(int folder, const char *base) {
  char path[64];
  int compiled = open_private_folder(folder, "compiled", base);
  if (compiled < 0 || fcntl(compiled, F_SETFD, 0) != 0) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", compiled);
  setenv("DENO_DIR", path, 1);
}

/* Executes the runtime in `folder`; returns when that cannot be done, e.g. mounted noexec. */
static void run_from_folder(int folder, const char *base, char **arguments) {
  char path[64];
  if (folder < 0) return;
  keep_compiled(folder, base);
  /* By name below the checked descriptor: then the process is called kpaxos, not by a number. */
  snprintf(path, sizeof path, "/proc/self/fd/%d/kpaxos", folder);
  execv(path, arguments);
  note("%s: cannot execute there: %s", base, strerror(errno));
  setenv("DENO_DIR", NO_FOLDER, 1);
}

/* Tries every folder in which a cache may be kept; returns when none served. */
static void run_from_cache(int self, const char *self_path, const struct part *runtime,
                           char **arguments) {
  const char *of_service = getenv("CACHE_DIRECTORY"); /* systemd.exec(5) */
  const char *of_cache = getenv("XDG_CACHE_HOME");
  const char *home = getenv("HOME");
  char path[4096];
#define TRY(base, name) run_from_folder(find_runtime(self, self_path, base, name, runtime), base, arguments)
  if (of_service && of_service[0] == '/' && !strchr(of_service, ':')) TRY(of_service, NULL);
  if (of_cache && of_cache[0] == '/') TRY(of_cache, "kpaxos");
  /* Root has a place of its own, so that sudo leaves nothing behind in a user's home. */
  if (geteuid() == 0) TRY("/var/cache", "kpaxos");
  if (home && home[0] == '/' && snprintf(path, sizeof path, "%s/.cache", home) < (int)sizeof path) {
    struct stat st;
    if (stat(home, &st) == 0 && st.st_uid == geteuid()) mkdir(path, 0700);
    TRY(path, "kpaxos");
  }
  snprintf(path, sizeof path, "/run/user/%u", (unsigned)geteuid());
  TRY(path, "kpaxos");
#undef TRY
}

int main(int argc, char **argv) {
  static char self_path[4096];
  struct part runtime, program;
  char program_path[64];

  /* A closed standard stream would give its number to a file opened below. */
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR);

  ssize_t length = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (length <= 0 || self < 0)
    die("cannot read itself through /proc/self/exe: %s. /proc must be mounted.", strerror(errno));
  read_trailer(self, self_path, &runtime, &program);

  bool privileged = getauxval(AT_SECURE) != 0;
  if (privileged) keep_capabilities();
  setenv("KPAXOS_EXE", self_path, 1);
  /* No folder of Deno's own, where there is none beside the runtime: nothing left there is believed. */
  setenv("DENO_DIR", NO_FOLDER, 1);
  setenv("DENO_NO_UPDATE_CHECK", "1", 1);
  setenv("DENO_NO_PACKAGE_JSON", "1", 1);

  snprintf(program_path, sizeof program_path, "/proc/self/fd/%d",
           memory_file(self, self_path, &program, false));
  char *const fixed[] = {"kpaxos",      "run",        "--quiet",  "--allow-all", "--no-prompt",
                         "--no-config", "--no-lock",  "--no-npm", "--no-remote", "--no-check",
                         "--ext=js", V8_FLAGS, program_path};
  size_t count = sizeof fixed / sizeof *fixed;
  char **arguments = calloc(count + (size_t)argc + 1, sizeof *arguments);
  if (arguments == NULL) die("out of memory");
  memcpy(arguments, fixed, sizeof fixed);
  for (int i = 1; i < argc; i++) arguments[count++] = argv[i];

  /* With capabilities of the file, a folder the user can write is not to be trusted. */
  if (!privileged) run_from_cache(self, self_path, &runtime, arguments);
  int fd = memory_file(self, self_path, &runtime, true);
  fexecve(fd, arguments, environ);
  die("cannot start from memory: %s. Set XDG_CACHE_HOME to a folder of your own with 100 MB to "
      "spare, on a file system mounted without noexec. Folders tried:%s", strerror(errno), reasons);
}
