import type { Wire, WireType } from '@molecule-ai/protocol';
import type { PlatformAnswer, PlatformRequest } from './platform-request.ts';
import { shapeError } from './shape-error.ts';

/**
 * Reads an answer with the tolerant variant of its schema: unknown keys and words pass.
 * @throws ApiError `unexpected_response` when a key the route promises is missing or of another type.
 */
export function readAnswer<W extends Wire>(
  wire: W,
  answer: PlatformAnswer,
  request: PlatformRequest,
): WireType<W> {
  const read = wire.tolerant.safeParse(answer.body);
  if (read.success) return read.data as WireType<W>;
  const [issue] = read.error.issues;
  const place =
    issue === undefined || issue.path.length === 0 ? 'the body' : issue.path.map(String).join('.');
  throw shapeError(request, answer.status, `${place}: ${issue?.message ?? 'unreadable'}`);
}
