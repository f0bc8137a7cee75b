import { randomUUID } from 'node:crypto';
import type { CreateWorkspaceAnswer, CreateWorkspaceRequest } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { NewWorkspaceRow } from '../database/schema.ts';
import { ApiError } from '../http/api-error.ts';
import { timestamp } from '../time/clock.ts';
import type { TokensService } from '../tokens/tokens.service.ts';
import { decideAgentAddress } from './agent-address.rules.ts';
import { describeConnection } from './connection.rules.ts';
import { insertWorkspace, readWorkspace } from './workspace.store.ts';
import { invalidParent } from './workspace-parent.rules.ts';

/** The tier of a workspace whose creator names none, or 0 (wire contract 3.1). */
const DEFAULT_TIER = 3;
const EXTERNAL = 'external';

/** Creates workspaces for agents that run elsewhere (wire contract 3.1). */
export interface WorkspaceCreation {
  create(body: CreateWorkspaceRequest): Promise<CreateWorkspaceAnswer>;
}

export function createWorkspaceCreation(
  context: PlatformContext,
  { tokens }: { tokens: TokensService },
): WorkspaceCreation {
  const { database, events } = context;

  const insert = async (unit: UnitOfWork, row: NewWorkspaceRow) => {
    if (row.parent_id != null) {
      const parent = await readWorkspace(unit.trx, row.parent_id);
      if (parent === undefined) throw invalidParent('there is no such workspace');
      if (parent.status === 'removed') throw invalidParent('that workspace was removed');
    }
    await insertWorkspace(unit.trx, row);
    const { id: workspaceId, name, tier, runtime } = row;
    await events.append(unit, {
      type: 'WORKSPACE_PROVISIONING',
      workspaceId,
      payload: { name, tier, runtime },
    });
    const payload = { name, external: true };
    await events.append(unit, { type: 'WORKSPACE_AWAITING_AGENT', workspaceId, payload });
    return tokens.issue(unit, workspaceId, 'create');
  };

  return {
    create: async (body) => {
      refuseWhatIsNotOffered(body);
      const row = newRow(context, body);
      const { token } = await database.transaction((unit) => insert(unit, row));
      const platformUrl = context.publicUrl();
      const connection = describeConnection({ workspaceId: row.id, name: row.name, platformUrl, token });
      return { id: row.id, external: true, status: 'awaiting_agent', connection };
    },
  };
}

function newRow({ clock, addressGuard }: PlatformContext, body: CreateWorkspaceRequest): NewWorkspaceRow {
  const requested = { url: body.url, deliveryMode: body.delivery_mode };
  const address = decideAgentAddress(requested, { url: null, deliveryMode: 'poll' }, addressGuard.checkUrl);
  const now = timestamp(clock);
  return {
    id: randomUUID(),
    name: body.name,
    role: body.role ?? null,
    tier: body.tier === undefined || body.tier === 0 ? DEFAULT_TIER : body.tier,
    status: 'awaiting_agent',
    runtime: EXTERNAL,
    agent_card: null,
    url: address.url,
    delivery_mode: address.deliveryMode,
    parent_id: body.parent_id?.toLowerCase() ?? null,
    claimed_at: null,
    last_heartbeat_at: null,
    last_error_rate: 0,
    last_sample_error: '',
    active_tasks: 0,
    max_concurrent_tasks: body.max_concurrent_tasks ?? 1,
    uptime_seconds: 0,
    current_task: '',
    runtime_state: '',
    runtime_metadata: null,
    monthly_spend: 0,
    budget_limit: body.budget_limit ?? null,
    last_outbound_at: null,
    acknowledged_seq: 0,
    x: body.canvas?.x ?? 0,
    y: body.canvas?.y ?? 0,
    collapsed: 0,
    workspace_dir: body.workspace_dir ?? null,
    created_at: now,
    updated_at: now,
    removed_at: null,
  };
}

/** Containers and secrets are not part of this platform; to accept them silently would be a lie. */
function refuseWhatIsNotOffered(body: CreateWorkspaceRequest): void {
  const wantsContainer = body.external !== true && body.runtime !== undefined && body.runtime !== EXTERNAL;
  if (wantsContainer || (body.external === false && body.runtime !== EXTERNAL)) {
    throw new ApiError(501, 'not_supported', 'this platform runs no containers', {
      extras: { field: 'runtime', hint: 'Send "runtime": "external" and run the agent yourself.' },
    });
  }
  if (body.secrets !== undefined && Object.keys(body.secrets).length > 0) {
    throw new ApiError(501, 'not_supported', 'this platform does not keep secrets yet', {
      extras: { field: 'secrets', hint: 'Give the agent its secrets where it runs.' },
    });
  }
}
