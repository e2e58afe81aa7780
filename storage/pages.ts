/**
 * Whether the pages of a database are well formed, as far as LMDB is about to read them: it follows what
 * stands in them without a check, so a flipped bit in the wrong place would end the process without a word.
 *
 * A database is a tree of pages for each table (mdb.c of LMDB 0.9):
 *
 *   page:    number u64 | unused u16 | kind u16 | lower u16 | upper u16 | node offsets u16, up to lower
 *   node:    low u16 | high u16 | flags u16 | key bytes u16 | key | value
 *              of a leaf: the value's bytes are low and high; if it is big, its first page stands in its place
 *              of a branch: the page below it is low, high and flags
 *   tree:    unused u32 | flags u16 | depth u16 | four counts u64 | root u64
 *
 * Page 0 or 1 holds two trees: the list of free pages, and the table of tables, whose values are trees.
 */
import { StoreError } from "./store.ts";

const HEADER_BYTES = 16;
const NODE_BYTES = 8;
const TREE_BYTES = 48;
const TREE_DEPTH = 6;
const TREE_ROOT = 40;
const FREE_TREE = 40;
const MAIN_TREE = 88;
const KEY_BYTES_MAX = 511;
/** Deeper than any tree of so many pages. */
const DEPTH_MAX = 32;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

enum PageKind {
  branch = 1,
  leaf = 2,
  big = 4,
}

/** Flags of a leaf's node. */
const BIG = 1;
const SUBTREE = 2;

/** Pages read in one go where many follow one another. */
const BLOCK_PAGES = 16;

/** Where to look, and how far. */
export interface PagesOptions {
  readonly pageBytes: number;
  readonly lastPage: number;
  /** The meta page that counts: 0 or 1. */
  readonly meta: number;
  /** Bytes of leaves that are looked at in each table, from its end. */
  readonly tailBytes: number;
}

/**
 * Looks at all branches, and at the leaves at the end of each table.
 *
 * @throws {StoreError} "damaged" with the number of the page.
 */
export function checkPages(path: string, options: PagesOptions): void {
  const file = Deno.openSync(path);
  try {
    new Pages(file, options).check();
  } finally {
    file.close();
  }
}

class Pages {
  readonly #options: PagesOptions;
  readonly #branches: Reader;
  readonly #leaves: Reader;
  /** Bytes of leaves still to be looked at. */
  #left = 0;
  #seen = 0;

  constructor(file: Deno.FsFile, options: PagesOptions) {
    this.#options = options;
    this.#branches = new Reader(file, options.pageBytes, 1);
    this.#leaves = new Reader(file, options.pageBytes, BLOCK_PAGES);
  }

  check(): void {
    const { view, at } = this.#branches.read(this.#options.meta);
    // A copy, as reading on overwrites it.
    const meta = new DataView(view.buffer.slice(at, at + 152));
    this.#tree(meta, FREE_TREE, false);
    this.#tree(meta, MAIN_TREE, true);
  }

  #tree(view: DataView, at: number, isMain: boolean): void {
    const root = view.getBigUint64(at + TREE_ROOT, true);
    if (root === NO_PAGE) return;
    const depth = view.getUint16(at + TREE_DEPTH, true);
    if (depth < 1 || depth > DEPTH_MAX) {
      throw damaged(this.#options.meta, `a tree has the depth ${depth}`);
    }
    this.#left = this.#options.tailBytes;
    this.#page(Number(root), depth, isMain);
  }

  /** @param level 1: a leaf. */
  #page(number: number, level: number, isMain: boolean): void {
    const { pageBytes, lastPage } = this.#options;
    if (number < 2 || number > lastPage) {
      throw damaged(number, "there is no such page");
    }
    // Each page is in one place of one tree.
    if (++this.#seen > lastPage) throw damaged(number, "it is in a circle");
    if (level === 1) {
      if (this.#left <= 0) return;
      this.#left -= pageBytes;
      this.#leaf(number, isMain);
      return;
    }
    const page = this.#branches.read(number);
    const below = this.#nodes(page, number, PageKind.branch).map((node) => {
      const { view } = page;
      return view.getUint16(node, true) + view.getUint16(node + 2, true) *
          0x10000 +
        view.getUint16(node + 4, true) * 2 ** 32;
    });
    // From the end, which is what is looked at if not all is.
    for (const child of below.reverse()) this.#page(child, level - 1, isMain);
  }

  #leaf(number: number, isMain: boolean): void {
    const page = this.#leaves.read(number);
    const { view } = page;
    const big: [page: number, bytes: number][] = [];
    const trees: DataView[] = [];
    for (const node of this.#nodes(page, number, PageKind.leaf)) {
      const flags = view.getUint16(node + 4, true);
      const keyBytes = view.getUint16(node + 6, true);
      const bytes = view.getUint32(node, true);
      const value = node + NODE_BYTES + keyBytes;
      const inPage = flags === BIG ? 8 : bytes;
      if (value + inPage > page.at + this.#options.pageBytes) {
        throw damaged(number, "a value ends outside of it");
      }
      if (isMain && (flags !== SUBTREE || bytes !== TREE_BYTES)) {
        throw damaged(number, "a table is not described as a table");
      }
      if (!isMain && ((flags !== 0 && flags !== BIG) || keyBytes !== 8)) {
        throw damaged(number, "a value or its key is none of ours");
      }
      if (isMain) {
        trees.push(new DataView(view.buffer.slice(value, value + TREE_BYTES)));
      }
      if (flags === BIG) {
        big.push([Number(view.getBigUint64(value, true)), bytes]);
      }
    }
    for (const [first, bytes] of big) this.#big(first, bytes);
    for (const tree of trees) this.#tree(tree, 0, false);
  }

  /** A value that takes pages of its own. */
  #big(first: number, bytes: number): void {
    const { pageBytes, lastPage } = this.#options;
    const pages = Math.ceil((HEADER_BYTES + bytes) / pageBytes);
    if (first < 2 || first + pages - 1 > lastPage) {
      throw damaged(first, "there is no such page");
    }
    const { view, at } = this.#branches.read(first);
    this.#head(view, at, first, PageKind.big);
    // A smaller value may have taken the place of a larger one.
    const there = view.getUint32(at + 12, true);
    if (there < pages || first + there - 1 > lastPage) {
      throw damaged(first, "it does not have as many pages as its value needs");
    }
  }

  /** Where the nodes of a page are, each of which lies in it. */
  #nodes({ view, at }: Page, number: number, kind: PageKind): number[] {
    const { pageBytes } = this.#options;
    this.#head(view, at, number, kind);
    const lower = view.getUint16(at + 12, true);
    const upper = view.getUint16(at + 14, true);
    if (
      lower <= HEADER_BYTES || lower % 2 !== 0 || lower > upper ||
      upper > pageBytes
    ) {
      throw damaged(number, "its bounds are wrong");
    }
    const nodes: number[] = [];
    for (let i = HEADER_BYTES; i < lower; i += 2) {
      const node = view.getUint16(at + i, true);
      if (node < upper || node + NODE_BYTES > pageBytes || node % 2 !== 0) {
        throw damaged(number, "a node lies outside of it");
      }
      const keyBytes = view.getUint16(at + node + 6, true);
      if (
        keyBytes > KEY_BYTES_MAX || node + NODE_BYTES + keyBytes > pageBytes
      ) {
        throw damaged(number, "a key ends outside of it");
      }
      nodes.push(at + node);
    }
    return nodes;
  }

  #head(view: DataView, at: number, number: number, kind: PageKind): void {
    if (Number(view.getBigUint64(at, true)) !== number) {
      throw damaged(number, "it has another number");
    }
    if (view.getUint16(at + 10, true) !== kind) {
      throw damaged(number, `it is no ${PageKind[kind]} page, as it should be`);
    }
  }
}

/** A page's bytes, from `at` on; until the next one is read. */
interface Page {
  readonly view: DataView<ArrayBuffer>;
  readonly at: number;
}

/** Reads pages, and with each those beside it. */
class Reader {
  readonly #file: Deno.FsFile;
  readonly #pageBytes: number;
  readonly #pages: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #first = -1;
  /** Bytes read; less than there is room for at the end of the file. */
  #used = 0;

  constructor(file: Deno.FsFile, pageBytes: number, pages: number) {
    this.#file = file;
    this.#pageBytes = pageBytes;
    this.#pages = pages;
    this.#bytes = new Uint8Array(pages * pageBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  read(number: number): Page {
    const first = number - number % this.#pages;
    if (first !== this.#first) this.#fill(first);
    const at = (number - first) * this.#pageBytes;
    if (at + this.#pageBytes > this.#used) {
      throw damaged(number, "the file ends before it");
    }
    return { view: this.#view, at };
  }

  #fill(first: number): void {
    this.#first = first;
    this.#used = 0;
    this.#file.seekSync(first * this.#pageBytes, Deno.SeekMode.Start);
    while (this.#used < this.#bytes.length) {
      const count = this.#file.readSync(this.#bytes.subarray(this.#used));
      if (count === null) break;
      this.#used += count;
    }
  }
}

function damaged(page: number, flaw: string): StoreError {
  return new StoreError("damaged", `page ${page} of data.mdb: ${flaw}`);
}
