import type { ActivityEntry, PeerReply, WorkspaceInfo } from '@molecule-ai/core/operator';
import type { ProcessExit } from '@molecule-tests/harness';
import type { AgentProcess } from '../agent-process.ts';
import { within } from '../deadline.ts';
import type { WithAgents, WithPlatform } from './context.ts';

const CHANGE_WITHIN_MS = 5_000;

/** A row of somebody's feed. */
export interface FeedRow extends ActivityEntry {
  readonly owner: AgentProcess;
}

/** Reads a workspace row from the platform and shows it. */
export async function showWorkspace(context: WithPlatform, agent: AgentProcess): Promise<WorkspaceInfo> {
  const { operator, run } = context;
  const info = await operator.getWorkspace(agent.id, { signal: run.deadline.signal, includeRemoved: true });
  const place = info.parentId === null ? 'at the root' : 'a child';
  const heartbeat =
    info.lastHeartbeatAt === null ? 'no heartbeat yet' : `heartbeat at ${info.lastHeartbeatAt}`;
  const delivery = info.deliveryMode === 'push' ? `pushed to at ${info.url}` : 'reads its feed';
  run.timeline.line('workspace', info.name, `${info.status}, ${place}, ${delivery}, ${heartbeat}`);
  return info;
}

/** Waits until the agent says that it gets its messages so from now on; false when it has not within 5 s. */
export async function untilDelivery(
  { run }: WithPlatform,
  agent: AgentProcess,
  mode: 'push' | 'long-poll',
): Promise<boolean> {
  const { deadline, timeline } = run;
  const changed = agent.process.waitForLog((entries) => {
    const last = entries.findLast(({ event }) => event === 'delivery');
    return last?.mode === mode ? last : undefined;
  }, deadline.signal);
  const change = await deadline.waitFor(
    `${agent.name} to change its delivery`,
    within(CHANGE_WITHIN_MS, changed),
  );
  if (change === undefined) return false;
  const reason = change.reason === null ? '' : `, because: ${change.reason}`;
  timeline.line('log', agent.name, `messages come by ${change.mode} from now on${reason}`);
  return true;
}

/** Reads the feed of a workspace from the platform, oldest row first. */
export async function readFeed(context: WithPlatform, owner: AgentProcess): Promise<FeedRow[]> {
  const filters = {
    direction: 'all',
    order: 'asc',
    limit: 500,
    signal: context.run.deadline.signal,
  } as const;
  const { rows } = await context.operator.listActivity(owner.id, filters);
  return rows.map((row) => ({ ...row, owner }));
}

/** Holds requests open on the platform until so many messages have come after `sinceId`. */
export async function waitForRows(
  { operator, run }: WithPlatform,
  owner: AgentProcess,
  count: number,
  sinceId: string | undefined,
): Promise<FeedRow[]> {
  const found: FeedRow[] = [];
  while (found.length < count) {
    const { rows } = await operator.listActivity(owner.id, {
      type: 'a2a_receive',
      sinceId: found.at(-1)?.id ?? sinceId,
      waitSecs: 10,
      signal: run.deadline.signal,
    });
    found.push(...rows.map((row) => ({ ...row, owner })));
  }
  return found;
}

/** Shows rows of one or several feeds in the order in which the platform stored them. */
export function showRows(context: WithAgents, rows: readonly FeedRow[]): void {
  for (const row of rows.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))) {
    const author =
      [context.lead, context.lab, context.desk, context.board].find(({ id }) => id === row.sourceId)?.name ??
      'the user';
    const head = row.direction === 'in' ? `${row.deliveryState}, from ${author}` : 'to the user';
    context.run.timeline.line('feed', row.owner.name, `${head}: ${row.text}`);
  }
}

/** Shows where a message of the user stands. */
export function showMessage({ run }: WithPlatform, agent: AgentProcess, reply: PeerReply): void {
  run.timeline.line('message', agent.name, `${reply.messageId} of the user is ${reply.status}`);
}

/** Shows how a process ended, as the operating system reported it. */
export function showExit(
  { run }: WithPlatform,
  { name, process: ended }: AgentProcess,
  { code, signal }: ProcessExit,
): void {
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  run.timeline.line('process', name, `process ${ended.pid} ${how}`);
}
