import {
  describeProblems,
  exceededJsonLimit,
  fieldProblems,
  isColumnText,
  JSON_LIMITS,
  routes,
  type Wire,
  type WireType,
} from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './http-error.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Parses the body tolerantly; 400 naming the first invalid field. A missing body is treated as `{}`. */
export function parseBody<W extends Wire>(wire: W, body: unknown, message?: string): WireType<W> {
  return parseWith(wire, body === undefined ? {} : body, message ?? 'invalid request body');
}

/** The parameters of a query by name. */
export type QueryValues = Readonly<Record<string, string | undefined>>;

/** The query with one value for each parameter, the last one of a repeated parameter. */
export function lastValues(query: unknown): QueryValues {
  const entries = Object.entries(query as Readonly<Record<string, string | string[] | undefined>>);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]),
  );
}

/** 400 naming the first parameter of a path or query that no column can hold. See docs/contract/limits.md#plain-text. */
export function requireColumnTexts(values: QueryValues): void {
  for (const [field, text] of Object.entries(values)) {
    if (text === undefined || isColumnText(text)) continue;
    const message = `invalid ${field}: must not contain NUL or half of a surrogate pair`;
    throw new HttpError(400, 'invalid_request', message, { extras: { field } });
  }
}

/** Parses the query tolerantly; 400 naming the first invalid parameter. */
export function parseQuery<W extends Wire>(wire: W, values: QueryValues): WireType<W> {
  return parseWith(wire, values, 'invalid query');
}

function parseWith<W extends Wire>(wire: W, value: unknown, message: string): WireType<W> {
  const parsed = wire.tolerant.safeParse(value);
  if (parsed.success) return parsed.data as WireType<W>;
  const problems = fieldProblems(parsed.error.issues, value);
  const field = problems[0]?.path ?? '';
  throw new HttpError(400, 'invalid_request', `${message}: ${describeProblems(problems)}`, {
    extras: { ...(field === '' ? {} : { field }), issues: problems },
  });
}

/** The id in lower case; 400 when it is not a UUID. */
export function parseWorkspaceId(text: string | undefined, field: string): string {
  const id = (text ?? '').trim().toLowerCase();
  if (UUID.test(id)) return id;
  throw new HttpError(400, 'invalid_workspace_id', 'invalid workspace ID', {
    extras: { field, hint: 'Send the UUID that POST /workspaces returned, not a name.' },
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses each body as JSON, whatever its Content-Type; an empty one means no body. Unknown routes have none. */
export function acceptOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    request.is404
      ? undefined
      : parseJson(body, { route: request.routeOptions.url, contentType: request.headers['content-type'] }),
  );
}

function parseJson(
  body: Buffer,
  { route, contentType }: { readonly route: string | undefined; readonly contentType: string | undefined },
): unknown {
  if (body.length === 0) return undefined;
  try {
    const text = decoder.decode(body);
    refuseComplexJson(text, route);
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof HttpError) throw cause;
    if (
      contentType !== undefined &&
      /^\s*(multipart\/|application\/x-www-form-urlencoded)/i.test(contentType)
    ) {
      throw new HttpError(415, 'unsupported_media_type', 'this route takes JSON and no form', { cause });
    }
    throw new HttpError(400, 'invalid_json', 'invalid JSON', {
      cause,
      extras: { hint: 'The body must be one JSON value in UTF-8.' },
    });
  }
}

const MESSAGE_ROUTES: ReadonlySet<string | undefined> = new Set([
  routes.sendMessage.path,
  routes.sendOwnMessage.path,
]);

function refuseComplexJson(text: string, route: string | undefined): void {
  const limit = exceededJsonLimit(text);
  if (limit === undefined) return;
  const isMessage = MESSAGE_ROUTES.has(route);
  const { nodes, depth } = JSON_LIMITS;
  const most = limit === 'nodes' ? `${nodes} JSON values` : `${depth} levels of nesting`;
  const code = isMessage ? 'invalid_message' : 'invalid_request';
  throw new HttpError(400, code, `${isMessage ? 'invalid message' : 'invalid request'}: more than ${most}`, {
    extras: { hint: `A body may have at most ${most}; send large data as one text or as a file.` },
  });
}

/** A whole number of a query; `fallback` where it is missing, no number, or out of range. */
export function wholeNumber(
  text: string | undefined,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const value = text === undefined || text === '' ? fallback : Number(text);
  return Number.isInteger(value) && value >= min && value <= max ? value : fallback;
}
