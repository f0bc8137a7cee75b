import type { ConnectionSettings } from '../settings/connection-settings.ts';
import { USER_AGENT } from '../settings/sdk-version.ts';

/**
 * Builds header lists in undici's flat form. They are reused until the token changes.
 */
export class RequestHeaders {
  readonly #fixed: readonly string[];
  #bearer: string | null = null;
  #plain: string[];
  #json: string[];
  #held: { seconds: number; headers: string[] } | undefined;

  /** @param workspaceId The caller; `null` for an operator. */
  constructor(settings: ConnectionSettings, workspaceId: string | null) {
    this.#fixed = [
      'accept',
      'application/json',
      'user-agent',
      USER_AGENT,
      ...(settings.origin === null ? [] : ['origin', settings.origin]),
      ...(settings.orgId === null ? [] : ['x-molecule-org-id', settings.orgId]),
      ...(workspaceId === null ? [] : ['x-workspace-id', workspaceId, 'x-source-workspace-id', workspaceId]),
    ];
    this.#plain = [...this.#fixed];
    this.#json = ['content-type', 'application/json', ...this.#fixed];
  }

  /** Do not modify the returned list. */
  for(bearer: string | null, hasBody: boolean, holdSeconds: number | undefined): string[] {
    if (bearer !== this.#bearer) this.#rebuild(bearer);
    const headers = hasBody ? this.#json : this.#plain;
    if (holdSeconds === undefined) return headers;
    if (!hasBody) return [...headers, 'x-timeout', String(holdSeconds)];
    if (this.#held?.seconds !== holdSeconds) {
      this.#held = { seconds: holdSeconds, headers: [...headers, 'x-timeout', String(holdSeconds)] };
    }
    return this.#held.headers;
  }

  #rebuild(bearer: string | null): void {
    this.#bearer = bearer;
    const authorization = bearer === null ? [] : ['authorization', `Bearer ${bearer}`];
    this.#plain = [...authorization, ...this.#fixed];
    this.#json = [...authorization, 'content-type', 'application/json', ...this.#fixed];
    this.#held = undefined;
  }
}
