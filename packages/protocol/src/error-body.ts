import * as z from 'zod';
import { ERROR_CODE_LIST } from './error-codes.ts';
import { Count } from './ids.ts';
import { isJsonObject } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/**
 * Body of every response outside 2xx, always JSON. `error` is for people, `code` for programs; the other keys come
 * with certain codes. Older platforms send `error` only, so `code` may be missing for a tolerant reader.
 */
export const ErrorBody = wire('ErrorBody', (w) =>
  w.object({
    error: w.promised(z.string()),
    code: w.promised(w.oneOf(ERROR_CODE_LIST)),
    // any error
    hint: w.maybe(z.string()),
    field: w.maybe(z.string()),
    issues: w.maybe(z.array(w.object({ path: z.string(), message: z.string() }))),
    message: w.maybe(z.string()),
    retry_after: w.maybe(z.number().min(0)),
    scope: w.maybe(z.string()),
    superseded: w.maybe(z.boolean()),
    request_id: w.maybe(z.string()),
    // workspaces
    id: w.maybe(z.string()),
    workspace_id: w.maybe(z.string()),
    status: w.maybe(z.string()),
    deleted: w.maybe(z.boolean()),
    removed_at: w.maybe(w.timestamp().nullable()),
    forwarded_to: w.maybe(z.string()),
    children: w.maybe(z.array(w.object({ id: w.id(), name: z.string() }))),
    children_count: w.maybe(Count),
    removed_count: w.maybe(Count),
    stop_failures: w.maybe(z.array(z.string())),
    active_tasks: w.maybe(Count),
    // messages: `delivered` is 'unknown' when the request was sent and no response arrived
    message_id: w.maybe(z.string()),
    queue_id: w.maybe(z.string()),
    activity_id: w.maybe(z.string()),
    delegation_id: w.maybe(z.string()),
    queued: w.maybe(z.boolean()),
    busy: w.maybe(z.boolean()),
    native_session: w.maybe(z.boolean()),
    waking: w.maybe(z.boolean()),
    restarting: w.maybe(z.boolean()),
    delivered: w.maybe(z.union([z.boolean(), z.literal('unknown')])),
    delivery_confirmed: w.maybe(z.boolean()),
    truncated: w.maybe(z.boolean()),
    // how much of a text the platform has, in UTF-16 units; null when another run makes it
    expected_offset: w.maybe(Count.nullable()),
    reason: w.maybe(z.string()),
    // secrets and plugins
    key: w.maybe(z.string()),
    failed_keys: w.maybe(z.array(z.string())),
    source: w.maybe(z.string()),
    available_schemes: w.maybe(z.array(z.string())),
    resolved_name: w.maybe(z.string()),
    requested_name: w.maybe(z.string()),
    expected_sha256: w.maybe(z.string()),
    actual_sha256: w.maybe(z.string()),
  }),
);
export type ErrorBody = WireType<typeof ErrorBody>;

/**
 * The error body in a response outside 2xx. A platform gives it to callers that speak JSON-RPC as `error.message` and
 * `error.data`; any other body is returned unchanged.
 */
export function errorBodyOf(body: unknown): unknown {
  if (!isJsonObject(body) || body.jsonrpc !== '2.0' || !isJsonObject(body.error)) return body;
  const { message, data } = body.error;
  return isJsonObject(data) && message !== undefined ? { ...data, error: message } : body;
}
