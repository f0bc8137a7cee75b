import {
  type AgentCard,
  CAPABILITIES,
  type HeartbeatRequest,
  type HeartbeatResponse,
  type RegisterRequest,
  type RegisterResponse,
  routes,
} from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { ReadingPositions } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { decideAgentAddress } from '../directory/agent-address.rules.ts';
import { requireAlive } from '../directory/workspace-directory.ts';
import { cardText } from '../directory/workspace-view.rules.ts';
import { type Identity, removedCredential, requireWorkspace } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import { mount, parseWorkspaceId } from '../http/mount.ts';
import { type ReaderIdentities, readInstanceId } from '../instances/reader-identities.ts';
import type { LivenessMonitor } from '../liveness/liveness.monitor.ts';
import type { PeerTokensService } from '../peer-tokens/peer-tokens.service.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';
import type { AgentProbe } from './agent-probe.ts';
import { evaluateHeartbeat } from './heartbeat.rules.ts';
import { decideRegister, type RegisterDecision } from './register.rules.ts';

export interface RegistryServiceOptions extends PlatformContext {
  readonly positions: Pick<ReadingPositions, 'countPending'>;
  readonly instances: ReaderIdentities;
  readonly liveness: LivenessMonitor;
  readonly peerTokens: PeerTokensService;
  readonly tokens: TokensService;
}

/** Register, heartbeat and card: the address, abilities and liveness of agents. */
export class RegistryService {
  readonly #options: RegistryServiceOptions;

  constructor(options: RegistryServiceOptions) {
    this.#options = options;
  }

  /** Stores the agent's address and card; the response has a token if the agent needs one. */
  async register(workspaceId: string, body: RegisterRequest, identity: Identity): Promise<RegisterResponse> {
    const { clock, database, peerTokens, settings, tokens, workspaces } = this.#options;
    const issuer = await peerTokens.issuer();
    return database.transaction(async (unit) => {
      await unit.lock?.(workspaceId);
      const workspace = await workspaces.find(workspaceId, unit.trx);
      const decision = decideRegister({
        identity,
        workspaceId,
        workspace,
        liveTokens: workspace === undefined ? 0 : await tokens.countLive(unit, workspaceId),
        rotate: body.rotate === true,
        now: clock.now(),
        claimWindowMs: settings.security.claimWindowMs,
      });
      if (decision.kind === 'removed' && identity.kind === 'removed') throw removedCredential(identity);
      if (decision.kind === 'missing') requireAlive(workspace);
      if (decision.kind !== 'accept' || workspace === undefined) throw refused();
      const deliveryMode = await this.#storeRegistration(unit, workspace, body);
      const token = await this.#issueToken(unit, workspaceId, decision);
      return {
        status: 'registered',
        id: workspaceId,
        workspace_id: workspaceId,
        delivery_mode: deliveryMode,
        org_id: settings.security.orgId ?? null,
        expires_at: null,
        issuer,
        capabilities: [...CAPABILITIES],
        ...(token === undefined ? {} : { auth_token: token }),
      };
    });
  }

  async heartbeat(workspaceId: string, body: HeartbeatRequest): Promise<HeartbeatResponse> {
    const { clock, database, events, liveness, positions, workspaces } = this.#options;
    const status = await database.transaction(async (unit) => {
      for (;;) {
        const row = await workspaces.require(workspaceId, unit.trx);
        const { change, events: changes } = evaluateHeartbeat(row, body);
        const now = timestamp(clock);
        const times = { last_heartbeat_at: now, updated_at: now };
        if (!(await workspaces.change(row, { ...change, ...times }, unit.trx))) continue;
        for (const event of changes) await events.append(unit, { ...event, workspaceId });
        if (change.status !== 'paused') unit.afterCommit(() => liveness.seen(workspaceId));
        return change.status;
      }
    });
    return {
      status: 'ok',
      workspace_status: status,
      paused: status === 'paused',
      deleted: false,
      pending: await positions.countPending(workspaceId),
      server_time: timestamp(clock),
      capabilities: [...CAPABILITIES],
    };
  }

  /**
   * The instance stops. Its reader identity is free at once, and the workspace is offline unless another instance is
   * active. Returns the status of the workspace afterwards.
   */
  async goodbye(workspaceId: string, instanceId: string): Promise<string> {
    const { instances, liveness, workspaces } = this.#options;
    const row = await workspaces.require(workspaceId);
    const { isOtherActive } = await instances.release(workspaceId, instanceId);
    if (!isOtherActive && (await liveness.turnOffline(row))) return 'offline';
    return (await workspaces.require(workspaceId)).status;
  }

  updateCard(workspaceId: string, card: AgentCard): Promise<void> {
    const { clock, database, events, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const row = await workspaces.lock(unit, workspaceId);
      const change = { agent_card: cardText(card), updated_at: timestamp(clock) };
      await workspaces.change(row, change, unit.trx);
      await events.append(unit, { type: 'AGENT_CARD_UPDATED', workspaceId, payload: {} });
    });
  }

  async #storeRegistration(unit: UnitOfWork, row: WorkspaceRow, body: RegisterRequest) {
    const { addressGuard, clock, events, liveness, workspaces } = this.#options;
    const stored = { url: row.url, deliveryMode: row.delivery_mode === 'push' ? 'push' : 'poll' } as const;
    const requested = { url: body.url, deliveryMode: body.delivery_mode };
    const { url, deliveryMode } = decideAgentAddress(requested, stored, addressGuard.checkUrl);
    const isPaused = row.status === 'paused';
    const now = timestamp(clock);
    const change = {
      url,
      delivery_mode: deliveryMode,
      ...(body.agent_card === undefined ? {} : { agent_card: cardText(body.agent_card) }),
      status: isPaused ? 'paused' : 'online',
      runtime_state: '',
      last_heartbeat_at: now,
      updated_at: now,
    };
    await workspaces.change(row, change, unit.trx);
    if (!isPaused) {
      const payload = { url, delivery_mode: deliveryMode };
      await events.append(unit, { type: 'WORKSPACE_ONLINE', workspaceId: row.id, payload });
      unit.afterCommit(() => liveness.seen(row.id));
    } else if (body.agent_card !== undefined) {
      await events.append(unit, { type: 'AGENT_CARD_UPDATED', workspaceId: row.id, payload: {} });
    }
    return deliveryMode;
  }

  async #issueToken(unit: UnitOfWork, id: string, { issueToken, revoke }: Accepted) {
    const { clock, tokens, workspaces } = this.#options;
    if (!issueToken) return undefined;
    const isFirstClaim = await workspaces.claim(id, timestamp(clock), unit.trx);
    if (revoke === 'unused-first' && !isFirstClaim) throw refused();
    if (revoke === 'unused-first') await tokens.revokeIn(unit, { workspaceIds: [id], unusedFirstOnly: true });
    if (revoke === 'all') await tokens.revokeIn(unit, { workspaceIds: [id] });
    return (await tokens.issue(unit, id, 'register')).token;
  }
}

type Accepted = Extract<RegisterDecision, { kind: 'accept' }>;

/** The same for every refused register, so that it does not reveal which workspaces exist. */
function refused(): HttpError {
  return new HttpError(401, 'invalid_credentials', 'invalid workspace auth token', {
    hint: 'Send a valid token of this workspace, or register as an operator; an operator can mint a new token.',
  });
}

/** Register, heartbeat, card and probe; the body names the workspace, except of a probe. */
export function mountRegistryRoutes(
  app: FastifyInstance,
  registry: RegistryService,
  instances: ReaderIdentities,
  probe: AgentProbe,
): void {
  const options = { bodyError: 'invalid request body' };

  mount(app, routes.register, options, async ({ body, caller, request }) => {
    const id = workspaceOf(body);
    const instanceId = readInstanceId(request);
    const response = await registry.register(id, body, caller);
    if (instanceId !== undefined) instances.renew(id, instanceId);
    return response;
  });

  mount(app, routes.heartbeat, options, async ({ body, caller, request }) => {
    const id = workspaceOf(body);
    requireWorkspace(caller, id);
    const instanceId = readInstanceId(request);
    const response = await registry.heartbeat(id, body);
    if (instanceId !== undefined) instances.renew(id, instanceId);
    return response;
  });

  mount(app, routes.goodbye, options, async ({ body, caller }) => {
    const id = parseWorkspaceId(body.workspace_id, 'workspace_id');
    requireWorkspace(caller, id);
    return { status: 'goodbye', workspace_status: await registry.goodbye(id, body.instance_id) };
  });

  mount(app, routes.probe, options, ({ params, body }) => probe.probe(params.id, body.url));

  mount(app, routes.updateCard, options, async ({ body, caller }) => {
    const id = workspaceOf(body);
    requireWorkspace(caller, id);
    await registry.updateCard(id, body.agent_card);
    return { status: 'updated' };
  });
}

/** Either key; the schema has validated that both name the same workspace. */
function workspaceOf(body: { id?: string | undefined; workspace_id?: string | undefined }): string {
  const field = body.workspace_id === undefined ? 'id' : 'workspace_id';
  return parseWorkspaceId(body.workspace_id ?? body.id, field);
}
