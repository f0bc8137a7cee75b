import type { z } from 'zod';
import { fieldProblems } from './field-problems.ts';
import type { Wire, WireType } from './wire.ts';

type Path = readonly PropertyKey[];

/** `dropped`: the keys that were left out, such as `capabilities` or `tokens.0.last_used_at`. */
export type ResponseReading<W extends Wire> =
  | { readonly kind: 'read'; readonly value: WireType<W>; readonly dropped: readonly string[] }
  | { readonly kind: 'unreadable'; readonly key: string; readonly problem: string };

/** Deeper shapes than this are given up. */
const MAX_ROUNDS = 8;

/**
 * Reads a response with the tolerant schema. A key that may be missing and cannot be read counts as missing; `needed` names keys
 * that must be readable, because the reader loses something without them. Never throws, and leaves `body` as it is.
 * See docs/contract/compatibility.md#unknown-values.
 */
export function readResponse<W extends Wire>(
  shape: W,
  body: unknown,
  needed: readonly string[] = [],
): ResponseReading<W> {
  const copy = new PrunedCopy(body);
  let first: readonly Issue[] | undefined;
  for (let round = 0; ; round += 1) {
    const read = shape.tolerant.safeParse(copy.root);
    if (read.success) {
      return { kind: 'read', value: read.data as WireType<W>, dropped: copy.dropped };
    }
    const issues: readonly Issue[] = read.error.issues;
    first ??= issues;
    const refused = issues.filter(({ path }) => round === MAX_ROUNDS || !copy.drop(path, needed));
    const [final] = refused;
    if (final === undefined) continue;
    // A required key that was dropped is reported as it came, and not as missing.
    const reported = first.find((issue) => nameOf(issue.path).startsWith(nameOf(final.path))) ?? final;
    const [{ path: key, message: problem } = { path: '', message: '' }] = fieldProblems([reported], body);
    return { kind: 'unreadable', key, problem };
  }
}

type Issue = z.core.$ZodIssue;

function nameOf(path: Path): string {
  return path.map(String).join('.');
}

/** A value without some of its keys; what is not changed is shared with the original. */
class PrunedCopy {
  root: unknown;
  /** In the order in which they were dropped. */
  readonly dropped: string[] = [];
  /** With those that were missing. */
  readonly #tried = new Set<string>();
  readonly #own = new Set<object>();

  constructor(root: unknown) {
    this.root = root;
  }

  /** Drops the innermost key of the path that was not dropped before, never an item of a list; false if there is none. */
  drop(path: Path, needed: readonly string[]): boolean {
    for (let end = path.length; end > 0; end -= 1) {
      const place = path.slice(0, end);
      const name = nameOf(place);
      if (needed.includes(name)) return false;
      if (typeof place.at(-1) !== 'string' || this.#tried.has(name)) continue;
      this.#tried.add(name);
      if (this.#delete(place)) this.dropped.push(name);
      return true;
    }
    return false;
  }

  #delete(path: Path): boolean {
    this.root = this.#owned(this.root);
    let at = this.root;
    for (const [index, key] of path.entries()) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false;
      if (index === path.length - 1) return Reflect.deleteProperty(at, key);
      const child = this.#owned(Reflect.get(at, key));
      Reflect.set(at, key, child);
      at = child;
    }
    return false;
  }

  #owned(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || this.#own.has(value)) return value;
    const copy = Array.isArray(value) ? [...value] : { ...value };
    this.#own.add(copy);
    return copy;
  }
}
