import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Caller, type HttpResponse, rowsOf, textAt, valueAt } from './http.ts';
import type { Member } from './members.ts';

/** The clients whose requests are in `data/`. They read with a cursor and never acknowledge. */
export type PollingClientName = 'channel-bridge' | 'python-sdk';

/** Names and name patterns of what a client sends and reads. */
interface Script {
  /** The cursor by which it finds out whether cursors are supported, or null when it does not. */
  readonly probe: string | null;
  readonly register: Readonly<Record<string, unknown>>;
  readonly heartbeat: Readonly<Record<string, unknown>>;
  readonly readsState: boolean;
  readonly endsWhenPaused: boolean;
  readonly read: Readonly<Record<string, string>>;
  /** Further parameters while it has no cursor. */
  readonly firstRead: Readonly<Record<string, string>>;
  readonly textAt: readonly (string | number)[];
  readonly skipsMethod: string | null;
  /** When the cursor is stored: after each row that was handled, or after a page. */
  readonly keepsCursor: 'each-row' | 'page';
  readonly reply: {
    readonly params: { readonly message: { readonly parts: readonly Readonly<Record<string, unknown>>[] } };
  };
  readonly callerHeaders: readonly string[];
}

/** Sends what a client without acknowledgements sends; one round of its loop at a time. */
export class PollingClient {
  readonly #script: Script;
  readonly #member: Member;
  #cursor: string | undefined;
  /** Texts in the order in which they were handled. */
  readonly handled: string[] = [];
  /** Whether its loop has ended, because the workspace is paused. */
  hasEnded = false;

  constructor(name: PollingClientName, member: Member) {
    const file = new URL('../../data/clients-without-acknowledgements.json', import.meta.url);
    this.#script = (JSON.parse(readFileSync(file, 'utf8')) as Record<PollingClientName, Script>)[name];
    this.#member = member;
  }

  get #caller(): Caller {
    return this.#member.caller;
  }

  /** Starts, or starts again with the cursor that it kept. */
  async start(): Promise<void> {
    const { id } = this.#member;
    this.hasEnded = false;
    if (this.#script.probe !== null) {
      const { status } = await this.#read({ since_id: this.#script.probe });
      if (status !== 410) throw new Error(`The probe for cursors got ${status}.`);
    }
    const registered = await this.#caller.post('/registry/register', { id, ...this.#script.register });
    if (registered.status !== 200) throw new Error(`register: ${registered.status} ${registered.text}`);
  }

  /** One round: heartbeat, one page of the feed, state. Returns how many messages it handled. */
  async round(): Promise<number> {
    const { id } = this.#member;
    await this.#caller.post('/registry/heartbeat', { workspace_id: id, ...this.#script.heartbeat });
    const count = await this.#handlePage();
    if (this.#script.readsState) {
      const { body } = await this.#caller.get(`/workspaces/${id}/state`);
      this.hasEnded = valueAt(body, 'paused') === true && this.#script.endsWhenPaused;
    }
    return count;
  }

  /** Rounds until one handles nothing, or the loop has ended. */
  async rounds(): Promise<void> {
    while (!this.hasEnded && (await this.round()) > 0);
  }

  /** Answers a peer, in the way that does not name what is answered. */
  reply(peerId: string, text: string): Promise<HttpResponse> {
    const { reply, callerHeaders } = this.#script;
    const { params, ...envelope } = reply;
    const message = { ...params.message, parts: params.message.parts.map((part) => ({ ...part, text })) };
    const headers = Object.fromEntries(callerHeaders.map((name) => [name, this.#member.id]));
    const body = {
      ...envelope,
      id: randomUUID(),
      params: { message: { ...message, messageId: randomUUID() } },
    };
    return this.#caller.post(`/workspaces/${peerId}/a2a`, body, headers);
  }

  async #handlePage(): Promise<number> {
    const { firstRead, keepsCursor, skipsMethod } = this.#script;
    const page = await this.#read(this.#cursor === undefined ? firstRead : { since_id: this.#cursor });
    if (page.status === 410) {
      this.#cursor = undefined;
      return 0;
    }
    let count = 0;
    let last = this.#cursor;
    for (const row of rowsOf(page)) {
      last = textAt(row, 'id');
      if (skipsMethod === null || row.method !== skipsMethod) {
        this.handled.push(textAt(row, ...this.#script.textAt));
        count += 1;
      }
      if (keepsCursor === 'each-row') this.#cursor = last;
    }
    this.#cursor = last;
    return count;
  }

  #read(query: Readonly<Record<string, string>>): Promise<HttpResponse> {
    const parameters = new URLSearchParams({ ...this.#script.read, ...query });
    return this.#caller.get(`/workspaces/${this.#member.id}/activity?${parameters}`);
  }
}
