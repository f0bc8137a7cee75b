import type { AgentRequest, AgentScript } from '@molecule-tests/harness';
import type { ReferencePlatform } from './reference-platform.ts';

type Reaction = Awaited<ReturnType<AgentScript>>;

interface StoredToken {
  readonly value: string;
  /** Whether it was issued by a register: a minted one does not count there, nor for heartbeats. */
  readonly counts: boolean;
}

const REFUSED: Reaction = { kind: 'json', status: 401, body: { error: 'invalid workspace auth token' } };

/** Adds the tokens of one workspace to the reference platform. Without one that counts, anybody may register. */
export class ReferenceTokens {
  readonly #live = new Map<string, StoredToken>();
  #minted = 0;

  constructor({ routes }: ReferencePlatform, workspaceId: string, token: string) {
    this.#live.set('t-1', { value: token, counts: true });
    const path = `/workspaces/${workspaceId}/tokens`;
    routes.set(`GET ${path}`, () => this.#list());
    routes.set(`POST ${path}`, () => {
      const body = { auth_token: this.#add(false), workspace_id: workspaceId, message: 'shown once' };
      return { kind: 'json', status: 201, body };
    });
    for (const id of ['t-1', 't-2', 't-3']) {
      routes.set(`DELETE ${path}/${id}`, () => {
        this.#live.delete(id);
        return { kind: 'json', body: { status: 'revoked' } };
      });
    }
    const state = { workspace_id: workspaceId, status: 'online', paused: false, deleted: false };
    routes.set(`GET /workspaces/${workspaceId}/state`, (request) =>
      this.#tokenOf(request) === undefined ? REFUSED : { kind: 'json', body: state },
    );
    routes.set('POST /registry/heartbeat', (request) =>
      this.#isOpen || this.#tokenOf(request)?.counts === true
        ? { kind: 'json', body: { status: 'ok' } }
        : REFUSED,
    );
    routes.set('POST /registry/register', (request) => this.#register(request));
  }

  /** Adds a token that does not count for registering. */
  mint(value: string): void {
    this.#minted += 1;
    this.#live.set(`t-${this.#minted + 1}`, { value, counts: false });
  }

  /** The tokens that were not revoked. */
  get live(): readonly string[] {
    return [...this.#live.values()].map(({ value }) => value);
  }

  #register(request: AgentRequest): Reaction {
    const body = { status: 'registered', delivery_mode: 'poll' };
    if (this.#isOpen) return { kind: 'json', body: { ...body, auth_token: this.#add(true) } };
    return this.#tokenOf(request)?.counts === true ? { kind: 'json', body } : REFUSED;
  }

  get #isOpen(): boolean {
    return ![...this.#live.values()].some(({ counts }) => counts);
  }

  #tokenOf({ headers }: AgentRequest): StoredToken | undefined {
    const bearer = headers.authorization?.replace('Bearer ', '');
    return [...this.#live.values()].find(({ value }) => value === bearer);
  }

  #add(counts: boolean): string {
    this.#minted += 1;
    const value = `${this.#minted}-${counts ? 'issued' : 'minted'}-token`;
    this.#live.set(`t-${this.#minted + 1}`, { value, counts });
    return value;
  }

  #list(): Reaction {
    const tokens = [...this.#live].map(([id, { value }]) => ({
      id,
      prefix: value.slice(0, 8),
      created_at: '2026-06-01T00:00:00Z',
      last_used_at: null,
    }));
    return { kind: 'json', body: { tokens, count: tokens.length } };
  }
}
