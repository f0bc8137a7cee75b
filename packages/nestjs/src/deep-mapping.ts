/** What a value may have. */
const MAX_DEPTH = 64;
const MAX_VALUES = 100_000;

/** For a value that has too much, or itself in it. */
export const TOO_LARGE = Symbol('too large');

export interface DeepMappingOptions {
  /** What is put in place of a text. */
  readonly text: (text: string) => string;
  /** In place of the name of a property. @default the name */
  readonly key?: ((key: string) => string) | undefined;
  /** In place of a whole object; `undefined` to go through it. */
  readonly replace?: ((value: object) => unknown) | undefined;
}

/**
 * Goes through what `JSON.stringify` would write of a value, and copies the lists and objects with other texts in them. What has nothing to change is
 * not copied. A copy has the class of the object and its properties; private `#fields` cannot be copied.
 */
export class DeepMapping {
  readonly #text: (text: string) => string;
  readonly #key: (key: string) => string;
  readonly #replace: (value: object) => unknown;
  readonly #done = new Map<object, unknown>();
  #left = MAX_VALUES;

  constructor({ text, key = (name) => name, replace = () => undefined }: DeepMappingOptions) {
    this.#text = text;
    this.#key = key;
    this.#replace = replace;
  }

  /** {@link TOO_LARGE} for more than 64 levels, 100 000 values, or an object that contains itself. */
  map(value: unknown, depth = 0, key = ''): unknown {
    this.#left -= 1;
    if (this.#left < 0 || depth > MAX_DEPTH) return TOO_LARGE;
    if (typeof value === 'string') return this.#text(value);
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value;
    const known = this.#done.get(value);
    if (known !== undefined) return known;
    this.#done.set(value, TOO_LARGE);
    const mapped = this.#replace(value) ?? this.#mapObject(value, depth, key);
    this.#done.set(value, mapped);
    return mapped;
  }

  #mapObject(value: object, depth: number, key: string): unknown {
    if (isOpaque(value)) return value;
    const json = jsonOf(value, key);
    if (json !== value) {
      const mapped = this.map(json, depth + 1, key);
      return mapped === json ? value : mapped;
    }
    return typeof value === 'function' ? value : this.#mapEntries(value, depth);
  }

  #mapEntries(value: object, depth: number): unknown {
    const entries = Object.entries(value).map(([key, entry]) => {
      return { key, entry, newKey: this.#key(key), mapped: this.map(entry, depth + 1, key) };
    });
    if (entries.some(({ mapped }) => mapped === TOO_LARGE)) return TOO_LARGE;
    if (entries.every(({ key, entry, newKey, mapped }) => key === newKey && Object.is(entry, mapped)))
      return value;
    const copy: object = Array.isArray(value)
      ? new Array<unknown>(value.length)
      : Object.create(Object.getPrototypeOf(value));
    for (const { newKey, mapped } of entries) {
      Object.defineProperty(copy, newKey, {
        value: mapped,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return copy;
  }
}

/** Dates and bytes have no texts, and streams are sent as files. */
function isOpaque(value: object): boolean {
  if (value instanceof Date || ArrayBuffer.isView(value)) return true;
  return ['pipe', 'getStream'].some((name) => typeof Reflect.get(value, name) === 'function');
}

/** As it is sent: a document of a database, for instance, keeps its fields elsewhere. */
function jsonOf(value: object, key: string): unknown {
  const toJSON: unknown = Reflect.get(value, 'toJSON');
  const json: unknown = typeof toJSON === 'function' ? toJSON.call(value, key) : value;
  return json instanceof String ? String(json) : json;
}
