import * as z from 'zod';
import { columnText } from './field-limits.ts';

/**
 * One shape on the wire, in two variants of the same type.
 * `strict` is for what we write: unknown keys are rejected at every depth.
 * `tolerant` is for what we read: unknown keys are dropped at every depth, `null` counts as absent where a key is
 * optional, and unknown words are accepted. See docs/contract/compatibility.md#unknown-values.
 */
export interface Wire<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly strict: S;
  readonly tolerant: S;
}

/** The TypeScript type of a {@link Wire}; keys that only newer platforms send are optional in it. */
export type WireType<W extends Wire> = z.output<W['strict']>;

/** A closed list of words plus every other string, so that editors complete the known ones. */
export type OpenWord<V extends string> = V | (string & {});

/** A schema whose type is the union of two schemas' types. */
type Either<A extends z.ZodType, B extends z.ZodType> = z.ZodType<
  z.output<A> | z.output<B>,
  z.input<A> | z.input<B>
>;

/** Builds the schemas of one mode. */
export interface WireBuilder {
  readonly mode: 'strict' | 'tolerant';
  /** An object; unknown keys are rejected (strict) or dropped (tolerant). */
  object<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape>;
  /** Another wire in the same mode. */
  use<S extends z.ZodType>(other: Wire<S>): S;
  /** Two different schemas for the two modes; the type is the union of both. */
  either<A extends z.ZodType, B extends z.ZodType>(strict: A, tolerant: B): Either<A, B>;
  /** A word of a closed list when we write, any string when we read. */
  oneOf<const V extends readonly [string, ...string[]]>(
    values: V,
  ): z.ZodType<OpenWord<V[number]>, OpenWord<V[number]>>;
  /** A key that may be missing; for a tolerant reader `null` means missing. */
  maybe<S extends z.ZodType>(schema: S): z.ZodOptional<S>;
  /** A key that we always write, and that other platforms may omit or send as `null`. */
  promised<S extends z.ZodType>(schema: S): z.ZodOptional<S>;
  /** A key that may be null; for a tolerant reader a missing key is null. */
  orNull<S extends z.ZodType>(schema: S): z.ZodNullable<S>;
  /** A text; for a tolerant reader a missing key and null are `''`. */
  orEmpty(): z.ZodString;
  /** A workspace or row id: a UUID in any letter case when we write, any non-empty string when we read. */
  id(): z.ZodString;
  /** An RFC 3339 time with offset when we write, any string when we read. */
  timestamp(): z.ZodString;
}

/**
 * Declares one shape in both modes. Each variant is built when it is first read: to build all of them takes
 * longer than to load the package.
 *
 * @example
 * export const Pong = wire('Pong', (w) => w.object({ status: z.literal('ok') }));
 * export type Pong = WireType<typeof Pong>;
 */
export function wire<S extends z.ZodType>(name: string, build: (w: WireBuilder) => S): Wire<S> {
  let strict: S | undefined;
  let tolerant: S | undefined;
  return {
    name,
    get strict() {
      strict ??= build(STRICT);
      return strict;
    },
    get tolerant() {
      tolerant ??= build(TOLERANT);
      return tolerant;
    },
  };
}

// The two builders return schemas of one TypeScript type although the run-time schemas differ; hence the casts.
const STRICT: WireBuilder = {
  mode: 'strict',
  object: <Shape extends z.ZodRawShape>(shape: Shape) =>
    z.strictObject(shape) as z.ZodType as z.ZodObject<Shape>,
  use: (other) => other.strict,
  either: <A extends z.ZodType, B extends z.ZodType>(strict: A, _tolerant: B) =>
    strict as z.ZodType as Either<A, B>,
  oneOf: (values) => z.enum(values),
  maybe: (schema) => schema.optional(),
  promised: <S extends z.ZodType>(schema: S) => schema as z.ZodType as z.ZodOptional<S>,
  orNull: (schema) => schema.nullable(),
  orEmpty: () => z.string(),
  id: () => z.guid() as z.ZodType as z.ZodString,
  timestamp: () => z.iso.datetime({ offset: true }) as z.ZodType as z.ZodString,
};

const TOLERANT: WireBuilder = {
  mode: 'tolerant',
  object: (shape) => z.object(shape),
  use: (other) => other.tolerant,
  either: <A extends z.ZodType, B extends z.ZodType>(_strict: A, tolerant: B) =>
    tolerant as z.ZodType as Either<A, B>,
  oneOf: () => z.string(),
  maybe: (schema) => nullIsAbsent(schema),
  promised: (schema) => nullIsAbsent(schema),
  orNull: <S extends z.ZodType>(schema: S) => {
    const reader = schema.nullish().transform((value) => value ?? null);
    return reader as z.ZodType as z.ZodNullable<S>;
  },
  orEmpty: () => {
    const reader = z
      .string()
      .nullish()
      .transform((value) => value ?? '');
    return reader as z.ZodType as z.ZodString;
  },
  id: () => columnText().min(1),
  timestamp: () => z.string(),
};

function nullIsAbsent<S extends z.ZodType>(schema: S): z.ZodOptional<S> {
  const reader = z.preprocess((value) => (value === null ? undefined : value), schema.optional());
  return reader as z.ZodType as z.ZodOptional<S>;
}
