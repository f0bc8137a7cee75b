import { randomUUID } from 'node:crypto';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { textAt, valueAt } from './http.ts';
import { envelope, type Member, type SendOptions } from './members.ts';
import type { RunningPlatform } from './running-platform.ts';
import type { TestEnvironment } from './test-environment.ts';

/** A response of server-sent events that a test reads as it comes. */
export class OpenStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The results of the events so far. */
  readonly results: JsonObject[] = [];
  /** The texts of all pieces. */
  readonly pieces: string[] = [];
  /** The text of the artifact so far: joined, and begun anew where an event says so. */
  text = '';
  /** The comments so far. */
  readonly comments: string[] = [];
  readonly #request: ClientRequest;
  readonly #response: IncomingMessage;
  readonly #waiting = new Set<() => void>();
  #buffer = '';
  #isOver = false;

  constructor(sent: ClientRequest, response: IncomingMessage) {
    this.#request = sent;
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#read(chunk));
    response.on('close', () => {
      this.#isOver = true;
      this.#wake();
    });
    response.on('error', () => {});
  }

  /** The body of a response that is no stream. */
  get body(): unknown {
    return JSON.parse(this.#buffer);
  }

  /** Resolves with the first `count` results. Rejects when the response ends before. */
  async next(count: number): Promise<readonly JsonObject[]> {
    await this.until(() => this.results.length >= count);
    return this.results;
  }

  /** Resolves when `check` holds after some event or comment. */
  async until(check: () => boolean): Promise<void> {
    while (!check()) {
      if (this.#isOver) throw new Error(`the stream ended: ${JSON.stringify(this.results).slice(0, 2_000)}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Resolves with all results when the response has ended. */
  async all(): Promise<readonly JsonObject[]> {
    while (!this.#isOver) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    return this.results;
  }

  /** Takes nothing more, or goes on. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  /** Closes the connection. */
  close(): void {
    this.#request.destroy();
  }

  #note(result: JsonObject): void {
    this.results.push(result);
    const update = result.kind === 'artifact-update' ? result : result.artifactUpdate;
    const piece = valueAt(update, 'artifact', 'parts', 0, 'text');
    if (typeof piece !== 'string') return;
    this.pieces.push(piece);
    this.text = valueAt(update, 'append') === true ? this.text + piece : piece;
  }

  #read(chunk: string): void {
    this.#buffer += chunk;
    if (this.headers['content-type']?.startsWith('text/event-stream') !== true) return;
    for (let end = this.#buffer.indexOf('\n\n'); end !== -1; end = this.#buffer.indexOf('\n\n')) {
      const event = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + 2);
      if (event.startsWith(':')) this.comments.push(event);
      else if (!event.startsWith('data: ') || event.includes('\n')) throw new Error(`no event: ${event}`);
      else {
        const { result } = JSON.parse(event.slice('data: '.length)) as JsonObject;
        if (!isJsonObject(result)) throw new Error(`no result: ${event}`);
        this.#note(result);
      }
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of [...this.#waiting]) {
      this.#waiting.delete(resolve);
      resolve();
    }
  }
}

export interface StreamOptions extends SendOptions {
  /** @default 'message/stream' */
  readonly method?: string;
  /** The token of a workspace. @default the operator key */
  readonly token?: string;
}

/** Opens streams, each over a connection of its own that ends with the test. */
export class StreamClient {
  readonly #environment: TestEnvironment;
  readonly #platform: RunningPlatform;

  constructor(environment: TestEnvironment, platform: RunningPlatform) {
    this.#environment = environment;
    this.#platform = platform;
  }

  /** Sends a text as `from`, an operator by default, and reads the stream of its answer. */
  send(from: Member | undefined, to: Member, text: string, options: StreamOptions = {}): Promise<OpenStream> {
    const { method = 'message/stream', messageId = randomUUID() } = options;
    const body = { ...envelope(text, { ...options, messageId }), method };
    return this.post(from, to, body, options.headers);
  }

  /** Reads the stream of a message that was sent before. */
  resubscribe(
    from: Member | undefined,
    to: Member,
    id: string,
    method = 'tasks/resubscribe',
  ): Promise<OpenStream> {
    return this.post(from, to, { jsonrpc: '2.0', id: 'again', method, params: { id } });
  }

  post(
    from: Member | undefined,
    to: Member,
    body: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<OpenStream> {
    const token = from?.token ?? this.#platform.operatorKey;
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#platform.url}/workspaces/${to.id}/a2a`, {
        method: 'POST',
        agent: false,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      });
      this.#environment.onCleanup(() => void sent.destroy());
      sent.on('response', (response) => resolve(new OpenStream(sent, response)));
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });
  }
}

/** The id of the task that a stream begins with. */
export function taskIdOf(stream: OpenStream): string {
  return textAt(stream.results[0]?.task ?? stream.results[0], 'id');
}
