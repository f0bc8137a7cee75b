import { readFileSync } from 'node:fs';
import {
  type AgentRequest,
  type AgentScript,
  type ScriptedAgent,
  startScriptedAgent,
} from '@molecule-tests/harness';

type Reaction = Awaited<ReturnType<AgentScript>>;

/** The two builds of the reference platform whose responses are in `data/`. */
export type Generation = 'april-2026' | 'june-2026';

interface Recorded {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly text?: string;
}

interface Recordings {
  readonly feed: { readonly hasCursor: boolean; readonly hasBeforeTs: boolean };
  readonly register: Recorded;
  /** Of an agent without a public URL; the same unless recorded. */
  readonly registerWithoutUrl?: Recorded;
  readonly heartbeat: Recorded;
  readonly state: Recorded;
  readonly notify: Recorded;
  readonly queued: Recorded;
  readonly cursorLost: Recorded;
  readonly rateLimited: Recorded;
  /** Of a token that is not valid. */
  readonly refused: Recorded;
  /** Of `GET /workspaces/:id` after its removal. */
  readonly removed: Recorded;
  readonly unknownRoute: Recorded;
  readonly row: Row & { readonly request_body: MessageBody };
  readonly responseOfPush: unknown;
}

interface MessageBody {
  readonly params: { readonly message: { readonly parts: readonly object[] } };
}

interface Row {
  readonly id: string;
  readonly created_at: string;
}

export interface ArrivingMessage {
  readonly from?: string;
  /** The message id of the caller; a new one unless given. */
  readonly messageId?: string;
  readonly inReplyTo?: string;
  /** Handled by a push: the row carries the response. */
  readonly isPushed?: boolean;
  /** When it arrived, in milliseconds. @default a millisecond after the one before */
  readonly at?: number;
}

/** Responds as the reference platform does, from its recorded responses; its feed has no acknowledgements. */
export class ReferencePlatform {
  readonly #recorded: Recordings;
  readonly #rows: Row[] = [];
  #server: ScriptedAgent | undefined;
  #time: number;
  /** Texts that people were shown, in order. */
  readonly shown: string[] = [];
  /** Message ids that were sent to agents, in order. */
  readonly sent: string[] = [];
  /** Reactions to the next requests, by `POST /workspaces/…`; then the recorded ones again. */
  readonly next = new Map<string, Reaction[]>();
  /** Whether there are too many requests. */
  isBusy = false;
  /** A removed workspace; its heartbeats are still accepted. */
  removed: string | undefined;
  /** Whether the feed always has its newest rows, whatever `before_ts` says. */
  ignoresBeforeTs = false;
  /** Whether the state route reports a pause. */
  isPaused = false;
  /** Routes that a test adds, by `POST /workspaces/…`. */
  readonly routes = new Map<string, (request: AgentRequest) => Reaction>();

  constructor(generation: Generation, startAt: number) {
    const file = new URL(`../../data/reference-${generation}.json`, import.meta.url);
    this.#recorded = JSON.parse(readFileSync(file, 'utf8')) as Recordings;
    this.#time = startAt;
  }

  async start(): Promise<this> {
    this.#server = await startScriptedAgent({ script: this.#script });
    return this;
  }

  get url(): string {
    return this.#server?.url ?? '';
  }

  get requests(): readonly AgentRequest[] {
    return this.#server?.requests ?? [];
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  /** Adds a message to the feed, and returns the id of its row. */
  arrive(text: string, message: ArrivingMessage = {}): string {
    const { row, responseOfPush } = this.#recorded;
    const number = this.#rows.length + 1;
    this.#time = message.at ?? this.#time + 1;
    const id = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    const { params, ...envelope } = row.request_body;
    const part = { ...params.message.parts[0], text };
    this.#rows.push({
      ...row,
      id,
      created_at: new Date(this.#time).toISOString(),
      ...(message.from === undefined ? {} : { source_id: message.from }),
      ...(message.inReplyTo === undefined ? {} : { in_reply_to: message.inReplyTo }),
      request_body: {
        ...envelope,
        params: {
          message: { ...params.message, messageId: message.messageId ?? `m-${number}`, parts: [part] },
        },
      },
      ...(message.isPushed === true ? { response_body: responseOfPush } : {}),
    } as Row);
    return id;
  }

  /** Deletes rows, as retention does. */
  forget(...ids: string[]): void {
    for (const id of ids) {
      const at = this.#rows.findIndex((row) => row.id === id);
      if (at >= 0) this.#rows.splice(at, 1);
    }
  }

  readonly #script: AgentScript = (request) => {
    const url = new URL(request.path, 'http://reference');
    const [, area, id, route] = url.pathname.split('/');
    const line = `${request.method} ${url.pathname}`;
    const own = this.next.get(line)?.shift() ?? this.routes.get(line)?.(request);
    if (own !== undefined) return own;
    const { heartbeat, rateLimited, refused, removed, unknownRoute } = this.#recorded;
    if (this.isBusy) return reaction(rateLimited);
    if (url.pathname === '/registry/register') return this.#register(request);
    if (url.pathname === '/registry/heartbeat') return reaction(heartbeat);
    if (area === 'workspaces' && id === this.removed) {
      return reaction(
        route === undefined ? { ...removed, body: { ...(removed.body as object), id } } : refused,
      );
    }
    if (area === 'workspaces' && route === 'state') return this.#state(id);
    if (area === 'workspaces' && route === 'activity' && request.method === 'GET') {
      return this.#feed(url.searchParams);
    }
    if (area === 'workspaces' && route === 'notify') return this.#notify(request);
    if (area === 'workspaces' && route === 'a2a') return this.#message(request);
    return reaction(unknownRoute);
  };

  #register({ body }: AgentRequest): Reaction {
    const { register, registerWithoutUrl = register } = this.#recorded;
    const { url = '' } = body as { url?: string };
    return reaction(url.startsWith('http') ? register : registerWithoutUrl);
  }

  #state(id: string | undefined): Reaction {
    const { state } = this.#recorded;
    const paused = this.isPaused ? { status: 'paused', paused: true } : {};
    return reaction({ ...state, body: { ...(state.body as object), workspace_id: id, ...paused } });
  }

  #feed(query: URLSearchParams): Reaction {
    const { feed, cursorLost } = this.#recorded;
    const limit = Number(query.get('limit') ?? '100');
    const cursor = feed.hasCursor ? query.get('since_id') : null;
    const before = feed.hasBeforeTs && !this.ignoresBeforeTs ? query.get('before_ts') : null;
    const since = Number(query.get('since_secs') ?? '0');
    let rows = this.#rows.filter((row) => before === null || Date.parse(row.created_at) < Date.parse(before));
    if (feed.hasBeforeTs && since > 0) {
      rows = rows.filter((row) => Date.parse(row.created_at) >= this.#time - since * 1_000);
    }
    if (cursor === null) return { kind: 'json', body: rows.toReversed().slice(0, limit) };
    const at = rows.findIndex((row) => row.id === cursor);
    return at < 0 ? reaction(cursorLost) : { kind: 'json', body: rows.slice(at + 1, at + 1 + limit) };
  }

  #notify({ body }: AgentRequest): Reaction {
    this.shown.push((body as { message: string }).message);
    return reaction(this.#recorded.notify);
  }

  #message({ body }: AgentRequest): Reaction {
    this.sent.push((body as { params: { message: { messageId: string } } }).params.message.messageId);
    return reaction(this.#recorded.queued);
  }
}

function reaction({ status, headers, body, text }: Recorded): Reaction {
  return text === undefined
    ? { kind: 'json', status, body, ...(headers === undefined ? {} : { headers }) }
    : { kind: 'text', status, text, type: 'text/plain' };
}
