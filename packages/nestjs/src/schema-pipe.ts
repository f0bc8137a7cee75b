import { ConfigurationError } from '@molecule-ai/core';
import { BadRequestException, type PipeTransform, type Type } from '@nestjs/common';

/** A schema of Standard Schema: zod, valibot, arktype and others. */
export interface StandardSchema {
  readonly '~standard': {
    readonly version: 1;
    readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult>;
  };
}

type SchemaResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * Pipes as Nest takes them. Nest leaves out what is neither a pipe nor a class of one, so that nothing would be validated.
 * @throws ConfigurationError for anything else.
 */
export function pipesOf(
  decorator: string,
  given: readonly (PipeTransform | Type<PipeTransform> | StandardSchema)[],
): (PipeTransform | Type<PipeTransform>)[] {
  return given.map((pipe) => {
    if (isSchema(pipe)) return new SchemaPipe(pipe);
    if (isPipe(pipe)) return pipe;
    throw new ConfigurationError(`${decorator} takes pipes and schemas of Standard Schema only.`, {
      hint: 'Pass a pipe, the class of one, or a schema such as z.object({ … }).',
    });
  });
}

/** Validates by a schema; what the schema makes of the value goes on. */
class SchemaPipe implements PipeTransform {
  readonly #schema: StandardSchema;

  constructor(schema: StandardSchema) {
    this.#schema = schema;
  }

  async transform(value: unknown): Promise<unknown> {
    const result = await this.#schema['~standard'].validate(value);
    if (result.issues === undefined) return result.value;
    throw new BadRequestException(result.issues.map(describe));
  }
}

function describe({ message, path = [] }: SchemaIssue): string {
  const place = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
  return place === '' ? message : `${place}: ${message}`;
}

function isSchema(value: unknown): value is StandardSchema {
  const standard: unknown = Reflect.get(Object(value), '~standard');
  return typeof Reflect.get(Object(standard), 'validate') === 'function';
}

function isPipe(value: unknown): value is PipeTransform | Type<PipeTransform> {
  const host = typeof value === 'function' ? value.prototype : value;
  return typeof Reflect.get(Object(host), 'transform') === 'function';
}
