import * as z from 'zod';

/**
 * Open values: what an agent, a user or a peer puts into a card, metadata or a body. They are kept by reference and
 * no key is removed, because the platform passes them on unchanged. The schemas validate a value where it enters;
 * code behind that relies on the type `JsonValue`.
 */

/** Any JSON value. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** Any JSON object. */
export type JsonObject = { [key: string]: JsonValue };

/**
 * Maximum nesting inside an open value. Deeper bodies are rejected, because `JSON.stringify` and most consumers
 * recurse: a megabyte of `[` must not crash a process.
 */
export const MAX_JSON_DEPTH = 256;

/** Schema of {@link JsonValue}; no copy, no recursion, at most {@link MAX_JSON_DEPTH} levels deep. */
export const JsonValue = z
  .unknown()
  .refine(isJsonValue, 'must be JSON, nested at most 256 levels') as z.ZodType as z.ZodType<
  JsonValue,
  JsonValue
>;

/** Schema of {@link JsonObject}. */
export const JsonObject = z
  .unknown()
  .refine(
    (value) => isJsonObject(value) && isJsonValue(value),
    'must be a JSON object, nested at most 256 levels',
  ) as z.ZodType as z.ZodType<JsonObject, JsonObject>;

/** An object with these keys validated; every other key is kept in both modes. */
export function withOtherKeys<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object(shape).catchall(JsonValue);
}

/** True for a JSON object: neither `null` nor a list. Its contents are not checked. */
export function isJsonObject(value: unknown): value is JsonObject {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** True when the value is JSON and nested at most {@link MAX_JSON_DEPTH} levels deep. Never throws on JSON. */
export function isJsonValue(value: unknown): value is JsonValue {
  // One loop without calls: this sees every value of every body.
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_JSON_DEPTH) return false;
    const next: unknown[] = [];
    for (const item of level) {
      const type = typeof item;
      if (item === null || type === 'string' || type === 'boolean') continue;
      if (type === 'number') {
        if (!Number.isFinite(item)) return false;
      } else if (Array.isArray(item)) {
        for (const child of item) next.push(child);
      } else if (isJsonObject(item)) {
        // JSON.stringify leaves out what is undefined.
        for (const key of Object.keys(item)) if (item[key] !== undefined) next.push(item[key]);
      } else {
        return false;
      }
    }
    level = next;
  }
  return true;
}

/** The value itself when it is an object, else an empty one. */
export function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** The value itself when it is a string, else `''`. */
export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** A string, or a number other than 0 as a string, as some platforms number their ids; else `''`. */
export function idOf(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' && value !== 0 && Number.isFinite(value) ? String(value) : '';
}
