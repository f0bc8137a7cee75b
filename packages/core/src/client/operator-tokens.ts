import {
  deleteAllTokens,
  deleteToken,
  getTokens,
  type ListTokensOptions,
  postToken,
  type TokenInfo,
} from '../platform-api/tokens.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

/** A token that was minted. */
export interface MintedToken {
  readonly workspaceId: string;
  /** Shown once. Hand it to the agent, do not log it. */
  readonly authToken: string;
}

/** The tokens of workspaces, as an operator sees them. */
export class OperatorTokens {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Live tokens, newest first, without their values. */
  list(workspaceId: string, options: ListTokensOptions = {}): Promise<TokenInfo[]> {
    return getTokens(this.#transport, workspaceId, options);
  }

  /** @throws ApiError `rate_limited` with platform code `token_limit` at 50 live tokens. */
  async mint(workspaceId: string, options: CallOptions = {}): Promise<MintedToken> {
    const { workspace_id, auth_token } = await postToken(this.#transport, workspaceId, options);
    return { workspaceId: workspace_id, authToken: auth_token };
  }

  async revoke(workspaceId: string, tokenId: string, options: CallOptions = {}): Promise<void> {
    await deleteToken(this.#transport, workspaceId, tokenId, options);
  }

  /** Locks the agent out until it gets a new token. */
  async revokeAll(workspaceId: string, options: CallOptions = {}): Promise<void> {
    await deleteAllTokens(this.#transport, workspaceId, options);
  }
}
