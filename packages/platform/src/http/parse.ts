import type { Wire, WireType } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ApiError } from './api-error.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The body in the shape of `wire`, read tolerantly; 400 naming the first wrong field. No body counts as `{}`. */
export function parseBody<W extends Wire>(wire: W, body: unknown, message?: string): WireType<W> {
  return parseWith(wire, body === undefined ? {} : body, message);
}

/** The query in the shape of `wire`; a parameter given twice counts with its last value. */
export function parseQuery<W extends Wire>(wire: W, query: unknown): WireType<W> {
  const once = Object.fromEntries(
    Object.entries(query as Record<string, unknown>).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.at(-1) : value,
    ]),
  );
  return parseWith(wire, once, undefined);
}

function parseWith<W extends Wire>(wire: W, value: unknown, message: string | undefined): WireType<W> {
  const parsed = wire.tolerant.safeParse(value);
  if (parsed.success) return parsed.data as WireType<W>;
  throw invalidRequest(parsed.error, message);
}

function invalidRequest(error: z.ZodError, message: string | undefined): ApiError {
  const issues = error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const [first] = issues;
  const field = first?.path ?? '';
  const text = message ?? (field === '' ? 'invalid request body' : `invalid ${field}`);
  return new ApiError(400, 'invalid_request', `${text}: ${first?.message ?? 'wrong form'}`, {
    extras: { field, issues },
  });
}

/** The id in lower case, whatever case it came in; 400 when it is no UUID (wire contract 9, ✗21). */
export function parseWorkspaceId(text: string, field: string): string {
  const id = text.trim().toLowerCase();
  if (UUID.test(id)) return id;
  throw new ApiError(400, 'invalid_workspace_id', 'invalid workspace ID', { extras: { field } });
}

/** The `:id` of the path, normalised. */
export function workspaceParam(request: Pick<FastifyRequest, 'params'>): string {
  return parseWorkspaceId(pathParam(request, 'id'), 'id');
}

/** A parameter of the path as it came. */
export function pathParam(request: Pick<FastifyRequest, 'params'>, name: string): string {
  const params = request.params as Readonly<Record<string, string | undefined>>;
  return params[name] ?? '';
}
