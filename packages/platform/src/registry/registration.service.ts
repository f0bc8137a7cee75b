import type { RegisterAnswer, RegisterRequest } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { removedCredential } from '../http/access.ts';
import { ApiError } from '../http/api-error.ts';
import type { Identity } from '../http/identity.ts';
import type { LivenessMonitor } from '../liveness/liveness.monitor.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';
import { decideAgentAddress } from '../workspaces/agent-address.rules.ts';
import { requireAlive, type WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import { cardOf } from '../workspaces/workspace-view.rules.ts';
import { decideRegister, type RegisterDecision } from './register.rules.ts';

export interface RegistryDependencies {
  readonly workspaces: WorkspaceLookup;
  readonly tokens: TokensService;
  readonly liveness: LivenessMonitor;
}

/** Registering an agent: where it is, what it can do, and its token if it needs one (wire contract 3.10). */
export interface RegistrationService {
  register(workspaceId: string, body: RegisterRequest, identity: Identity): Promise<RegisterAnswer>;
}

type Accepted = Extract<RegisterDecision, { kind: 'accept' }>;

export function createRegistrationService(
  context: PlatformContext,
  { workspaces, tokens, liveness }: RegistryDependencies,
): RegistrationService {
  const { database, clock, events, settings, addressGuard } = context;

  const issueToken = async (unit: UnitOfWork, id: string, { issueToken: wanted, revoke }: Accepted) => {
    if (!wanted) return undefined;
    const isFirstClaim = await tokens.claim(unit, id);
    if (revoke === 'unused-first' && !isFirstClaim) throw refused();
    if (revoke === 'unused-first') await tokens.revokeUnusedFirst(unit, id);
    if (revoke === 'all') await tokens.revokeAllOf(unit, [id]);
    return (await tokens.issue(unit, id, 'register')).token;
  };

  const store = async (unit: UnitOfWork, row: WorkspaceRow, body: RegisterRequest) => {
    const stored = { url: row.url, deliveryMode: row.delivery_mode === 'push' ? 'push' : 'poll' } as const;
    const requested = { url: body.url, deliveryMode: body.delivery_mode };
    const { url, deliveryMode } = decideAgentAddress(requested, stored, addressGuard.checkUrl);
    const card = body.agent_card ?? cardOf(row);
    const isPaused = row.status === 'paused';
    const now = timestamp(clock);
    await workspaces.update(
      row.id,
      {
        url,
        delivery_mode: deliveryMode,
        agent_card: card === null ? null : JSON.stringify(card),
        status: isPaused ? 'paused' : 'online',
        runtime_state: '',
        last_heartbeat_at: now,
        updated_at: now,
      },
      unit.trx,
    );
    if (!isPaused) {
      const payload = { url, agent_card: card, delivery_mode: deliveryMode };
      await events.append(unit, { type: 'WORKSPACE_ONLINE', workspaceId: row.id, payload });
      unit.afterCommit(() => liveness.seen(row.id));
    } else if (body.agent_card !== undefined) {
      const payload = { agent_card: body.agent_card };
      await events.append(unit, { type: 'AGENT_CARD_UPDATED', workspaceId: row.id, payload });
    }
    return deliveryMode;
  };

  return {
    register: (workspaceId, body, identity) =>
      database.transaction(async (unit) => {
        const workspace = await workspaces.find(workspaceId, unit.trx);
        const decision = decideRegister({
          identity,
          workspaceId,
          workspace,
          liveTokens: workspace === undefined ? 0 : await tokens.countLive(unit, workspaceId),
          rotate: body.rotate === true,
          now: clock.now(),
          claimWindowMs: settings.claimWindowMs,
        });
        if (decision.kind === 'tell-removed' && identity.kind === 'removed')
          throw removedCredential(identity);
        if (decision.kind === 'tell-missing') requireAlive(workspace);
        if (decision.kind !== 'accept' || workspace === undefined) throw refused();
        const deliveryMode = await store(unit, workspace, body);
        const token = await issueToken(unit, workspaceId, decision);
        return {
          status: 'registered',
          id: workspaceId,
          workspace_id: workspaceId,
          delivery_mode: deliveryMode,
          org_id: settings.orgId,
          expires_at: null,
          ...(token === undefined ? {} : { auth_token: token }),
        };
      }),
  };
}

/** One and the same answer for every register that is not let in, so that it tells nothing (decision 3). */
function refused(): ApiError {
  return new ApiError(401, 'invalid_credentials', 'invalid workspace auth token', {
    extras: { hint: "Register with the workspace's own token or as an operator." },
  });
}
