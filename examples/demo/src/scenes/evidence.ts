import type { ActivityEntry, PeerReply, WorkspaceInfo } from '@molecule-ai/core/operator';
import type { Exit } from '../stage/actor.ts';
import type { Member } from '../stage/member.ts';
import type { FullPlay, OpenPlay } from './play.ts';

/** A row of somebody's feed. */
export interface FeedRow extends ActivityEntry {
  readonly owner: Member;
}

/** Reads a workspace row from the platform and shows it. */
export async function showWorkspace(play: OpenPlay, member: Member): Promise<WorkspaceInfo> {
  const { operator, patience, timeline } = play;
  const info = await operator.getWorkspace(member.id, { signal: patience.signal, includeRemoved: true });
  const place = info.parentId === null ? 'at the root' : 'a child';
  const heartbeat =
    info.lastHeartbeatAt === null ? 'no heartbeat yet' : `heartbeat at ${info.lastHeartbeatAt}`;
  timeline.line('workspace', info.name, `${info.status}, ${place}, ${heartbeat}`);
  return info;
}

/** Reads the feed of a workspace from the platform, oldest row first. */
export async function readFeed(play: OpenPlay, owner: Member): Promise<FeedRow[]> {
  const filters = { direction: 'all', order: 'asc', limit: 500, signal: play.patience.signal } as const;
  const { rows } = await play.operator.listActivity(owner.id, filters);
  return rows.map((row) => ({ ...row, owner }));
}

/** Holds requests open on the platform until so many messages have come after `sinceId`. */
export async function waitForRows(
  { operator, patience }: OpenPlay,
  owner: Member,
  count: number,
  sinceId: string | undefined,
): Promise<FeedRow[]> {
  const found: FeedRow[] = [];
  while (found.length < count) {
    const { rows } = await operator.listActivity(owner.id, {
      type: 'a2a_receive',
      sinceId: found.at(-1)?.id ?? sinceId,
      waitSecs: 10,
      signal: patience.signal,
    });
    found.push(...rows.map((row) => ({ ...row, owner })));
  }
  return found;
}

/** Shows rows of one or several feeds in the order in which the platform stored them. */
export function showRows(play: FullPlay, rows: readonly FeedRow[]): void {
  for (const row of rows.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))) {
    const author = [play.lead, play.lab, play.desk].find(({ id }) => id === row.sourceId)?.name ?? 'the user';
    const head = row.direction === 'in' ? `${row.deliveryState}, from ${author}` : 'to the user';
    play.timeline.line('feed', row.owner.name, `${head}: ${row.text}`);
  }
}

/** Shows where a message of the user stands. */
export function showMessage({ timeline }: OpenPlay, member: Member, reply: PeerReply): void {
  timeline.line('message', member.name, `${reply.messageId} of the user is ${reply.status}`);
}

/** Shows how a process ended, as the operating system told it. */
export function showExit({ timeline }: OpenPlay, { name, actor }: Member, { code, signal }: Exit): void {
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  timeline.line('process', name, `process ${actor.pid} ${how}`);
}
