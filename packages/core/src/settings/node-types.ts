/** Types of Node by what is used of them, so that the declarations of this package compile without `@types/node`. */

/** `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A `Buffer`. */
export interface Bytes extends Uint8Array {
  toString(encoding?: 'utf8' | 'latin1', start?: number, end?: number): string;
  includes(value: string | number): boolean;
}

/** Names the method by which `util.inspect` shows an object. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** An `IncomingMessage` of `node:http`. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** A `ServerResponse` of `node:http`. */
export interface NodeResponse {
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
}

/** What `node:tls` takes for a server; `key` and `cert`, or `pfx`. */
export interface TlsOptions {
  key?: string | Uint8Array | readonly unknown[] | undefined;
  cert?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  pfx?: string | Uint8Array | readonly unknown[] | undefined;
  passphrase?: string | undefined;
  readonly [name: string]: unknown;
}
