/** A request to the agent's URL, as a server has it: a standard `Request`, or one of `node:http`. */
export interface ServedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Several values of one name are joined by commas. */
  readonly headers: Pick<Headers, 'get'>;
  /** Aborts when the caller has closed the connection. */
  readonly signal: AbortSignal;
  /** Whether something else, such as a body parser, has read the body. */
  readonly isBodyRead: boolean;
  /** Reads the body; `null` as soon as it has more than `maxBytes`. Rejects when the connection breaks. */
  readBytes(maxBytes: number): Promise<Uint8Array | null>;
}

/** What a request is responded with. The body is JSON, or a stream of server-sent events. */
export interface ServedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | ReadableStream<Uint8Array>;
}

/** Responds to one request. Never rejects. */
export type Serve = (request: ServedRequest) => Promise<ServedResponse>;

/** A standard `Request`. */
export function servedRequestOf(request: Request): ServedRequest {
  const { method, url, headers, signal, body, bodyUsed } = request;
  return {
    method,
    get path() {
      return new URL(url).pathname;
    },
    headers,
    signal,
    isBodyRead: bodyUsed,
    readBytes: (maxBytes) => readStream(body, maxBytes),
  };
}

/** Joins the pieces of a body. */
export function joinBytes(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

async function readStream(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array | null> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  return joinBytes(chunks, size);
}
