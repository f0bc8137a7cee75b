import {
  type A2aAgentCard,
  type DiscoverResponse,
  type PeerRow,
  routes,
  toA2aCard,
} from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { cardOf, toListRow } from '../directory/workspace-view.rules.ts';
import type { HierarchyService } from '../hierarchy/hierarchy.service.ts';
import type { Caller } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';
import type { PeerTokensService } from '../peer-tokens/peer-tokens.service.ts';

export interface DiscoveryServiceOptions
  extends Pick<PlatformContext, 'address' | 'addressGuard' | 'workspaces'> {
  readonly hierarchy: HierarchyService;
  readonly peerTokens: PeerTokensService;
}

/** Finds peers and their addresses. */
export class DiscoveryService {
  readonly #options: DiscoveryServiceOptions;

  constructor(options: DiscoveryServiceOptions) {
    this.#options = options;
  }

  /**
   * The address and card of a workspace, and for a workspace a token to call it directly. `callerId` is null for an
   * operator, who may discover every workspace.
   */
  async discover(callerId: string | null, targetId: string): Promise<DiscoverResponse> {
    const row = await this.#find(callerId, targetId);
    return {
      id: row.id,
      url: this.#addressOf(row, callerId),
      name: row.name,
      role: row.role,
      status: row.status,
      delivery_mode: row.delivery_mode,
      agent_card: cardOf(row),
      ...(callerId === null ? {} : await this.#tokenFor(callerId, row)),
    };
  }

  /** None for a workspace without a URL, and for a paused one, whose messages wait for its resume. */
  async #tokenFor(
    callerId: string,
    { id, url, status }: WorkspaceRow,
  ): Promise<Pick<DiscoverResponse, 'peer_token' | 'peer_token_expires_at'>> {
    if (url === null || status === 'paused') return {};
    const issued = await this.#options.peerTokens.forDirectCall(callerId, id);
    if (issued === undefined) return {};
    const { token, expiresAt } = issued;
    return { peer_token: token, peer_token_expires_at: new Date(expiresAt * 1_000).toISOString() };
  }

  /**
   * The card of a workspace for clients of A2A, whose requests go through the platform. Also while its agent is away,
   * because the platform keeps messages for it.
   */
  async card(callerId: string | null, targetId: string): Promise<A2aAgentCard> {
    const row = await this.#find(callerId, targetId);
    const url = this.#proxyUrl(row);
    const takesBothVersions = row.delivery_mode === 'poll';
    return toA2aCard(cardOf(row) ?? {}, { ...row, url, takesBothVersions });
  }

  /** Siblings, children, then the parent; `q` is a part of the name or role in any letter case. */
  async peers(workspaceId: string, q: string | undefined): Promise<PeerRow[]> {
    const { workspaces } = this.#options;
    const relatives = await workspaces.relatives(await workspaces.require(workspaceId));
    const part = (q ?? '').trim().toLowerCase();
    return relatives.filter((row) => matchesQuery(row, part)).map(toPeerRow);
  }

  async #find(callerId: string | null, targetId: string): Promise<WorkspaceRow> {
    const { hierarchy, workspaces } = this.#options;
    if (callerId !== null && !(await hierarchy.canCommunicate(callerId, targetId))) {
      throw new HttpError(403, 'access_denied', 'not authorized to discover this workspace');
    }
    return workspaces.require(targetId);
  }

  /**
   * Where to post a message for the workspace: its own URL, else the platform, because older clients post to what they
   * discover and know no other way. Empty for oneself.
   */
  #addressOf(row: WorkspaceRow, callerId: string | null): string {
    const { addressGuard } = this.#options;
    if (row.url === null) {
      if (callerId === row.id) return '';
      requireReachable(row);
      return this.#proxyUrl(row);
    }
    if (addressGuard.checkUrl(row.url).ok) return row.url;
    throw new HttpError(503, 'unsafe_url', 'workspace URL failed safety check');
  }

  #proxyUrl({ id }: Pick<WorkspaceRow, 'id'>): string {
    return `${this.#options.address.url}/workspaces/${id}/a2a`;
  }

  mayCommunicate(callerId: string, targetId: string): Promise<boolean> {
    return this.#options.hierarchy.canCommunicate(callerId, targetId);
  }
}

/** A workspace without a URL can be discovered by others only while it is online. */
function requireReachable(row: WorkspaceRow): void {
  if (row.status === 'online' || row.status === 'degraded') return;
  throw new HttpError(503, 'workspace_unavailable', 'workspace not available', {
    status: row.status,
    hint: 'Send the message through the platform; it is kept until the agent is back.',
  });
}

function matchesQuery({ name, role }: WorkspaceRow, part: string): boolean {
  return name.toLowerCase().includes(part) || (role ?? '').toLowerCase().includes(part);
}

function toPeerRow(row: WorkspaceRow): PeerRow {
  const { id, name, role, tier, status, url, parent_id, active_tasks, agent_card, delivery_mode } =
    toListRow(row);
  return { id, name, role, tier, status, url, parent_id, active_tasks, agent_card, delivery_mode };
}

/** The routes to find peers. The caller is the workspace of the token; no header is needed. */
export function mountDiscoveryRoutes(app: FastifyInstance, discovery: DiscoveryService): void {
  mount(app, routes.discover, ({ params, caller }) => discovery.discover(idOf(caller), params.id));

  const card = ({ params, caller }: { readonly params: { readonly id: string }; readonly caller: Caller }) =>
    discovery.card(idOf(caller), params.id);
  mount(app, routes.agentCard, card);
  mount(app, routes.agentCardBeside, card);
  mount(app, routes.oldAgentCard, card);
  mount(app, routes.oldAgentCardBeside, card);

  mount(app, routes.listPeers, ({ params, query }) => discovery.peers(params.id, query.q));

  mount(app, routes.checkAccess, async ({ body, caller }) => {
    const callerId = body.caller_id.toLowerCase();
    if (caller.kind === 'workspace' && caller.workspaceId !== callerId) {
      throw new HttpError(403, 'forbidden', 'a workspace may only check its own access', {
        field: 'caller_id',
      });
    }
    return { allowed: await discovery.mayCommunicate(callerId, body.target_id.toLowerCase()) };
  });
}

/** Null for an operator, who may discover every workspace. */
function idOf(caller: Caller): string | null {
  return caller.kind === 'workspace' ? caller.workspaceId : null;
}
