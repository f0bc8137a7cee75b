import type { FastifyInstance } from 'fastify';
import { ApiError } from './api-error.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Reads each body as JSON whatever its Content-Type says (wire contract 1.1); no bytes mean no body. */
export function acceptOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
    parseJson(body),
  );
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(decoder.decode(body));
  } catch (cause) {
    throw new ApiError(400, 'invalid_json', 'invalid JSON', {
      cause,
      extras: { hint: 'The body must be one JSON value in UTF-8.' },
    });
  }
}
