import type { AgentCard, HeartbeatAnswer, HeartbeatRequest } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import { timestamp } from '../time/clock.ts';
import { evaluateHeartbeat } from './heartbeat.rules.ts';
import type { RegistryDependencies } from './registration.service.ts';

export interface PresenceDependencies extends RegistryDependencies {
  /** How many messages wait for the workspace, if somebody counts them. */
  readonly countPending?: ((workspaceId: string) => Promise<number>) | undefined;
}

/** Signs of life and cards of agents (wire contract 3.11 and 3.12). */
export interface PresenceService {
  heartbeat(workspaceId: string, body: HeartbeatRequest): Promise<HeartbeatAnswer>;
  updateCard(workspaceId: string, card: AgentCard): Promise<void>;
}

export function createPresenceService(
  { database, clock, events }: PlatformContext,
  { workspaces, liveness, countPending }: PresenceDependencies,
): PresenceService {
  return {
    heartbeat: async (workspaceId, body) => {
      const status = await database.transaction(async (unit) => {
        const row = await workspaces.require(workspaceId, unit.trx);
        const outcome = evaluateHeartbeat(row, body);
        const now = timestamp(clock);
        const { change } = outcome;
        await workspaces.update(
          workspaceId,
          { ...change, last_heartbeat_at: now, updated_at: now },
          unit.trx,
        );
        for (const event of outcome.events) await events.append(unit, { ...event, workspaceId });
        if (change.status !== 'paused') unit.afterCommit(() => liveness.seen(workspaceId));
        return change.status;
      });
      return {
        status: 'ok',
        workspace_status: status,
        paused: status === 'paused',
        deleted: false,
        pending: (await countPending?.(workspaceId)) ?? 0,
        server_time: timestamp(clock),
      };
    },
    updateCard: (workspaceId, card) =>
      database.transaction(async (unit) => {
        await workspaces.require(workspaceId, unit.trx);
        const change = { agent_card: JSON.stringify(card), updated_at: timestamp(clock) };
        await workspaces.update(workspaceId, change, unit.trx);
        await events.append(unit, { type: 'AGENT_CARD_UPDATED', workspaceId, payload: { agent_card: card } });
      }),
  };
}
