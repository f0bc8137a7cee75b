import { randomUUID } from 'node:crypto';
import { buildSendMessage, type JsonObject } from '@molecule-ai/protocol';
import { type Caller, type Headers, type HttpResponse, rowsOf, textAt } from './http.ts';
import type { RunningPlatform } from './running-platform.ts';

/** A workspace whose agent is this test. */
export interface Member {
  readonly id: string;
  readonly token: string;
  readonly caller: Caller;
}

export interface MemberOptions {
  /** @default 'agent' */
  readonly name?: string;
  readonly parent?: string;
  readonly role?: string;
  /** Push delivery to this URL; poll without it. */
  readonly url?: string;
  readonly card?: Readonly<Record<string, unknown>>;
  /** Further keys of the create call. */
  readonly create?: Readonly<Record<string, unknown>>;
}

/** Creates a workspace as the operator; its agent has not registered yet. */
export async function createMember(platform: RunningPlatform, options: MemberOptions = {}): Promise<Member> {
  const answer = await platform.operator.post('/workspaces', {
    name: options.name ?? 'agent',
    external: true,
    ...(options.parent === undefined ? {} : { parent_id: options.parent }),
    ...(options.role === undefined ? {} : { role: options.role }),
    ...(options.url === undefined ? {} : { url: options.url }),
    ...options.create,
  });
  if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.failure ?? answer.text}`);
  const id = textAt(answer.body, 'id');
  const token = textAt(answer.body, 'connection', 'auth_token');
  return { id, token, caller: platform.as(token) };
}

/** Creates a workspace and registers its agent with the first token: it is online. */
export async function onboard(platform: RunningPlatform, options: MemberOptions = {}): Promise<Member> {
  const member = await createMember(platform, options);
  await registerMember(member, options);
  return member;
}

export async function registerMember(member: Member, options: MemberOptions = {}): Promise<HttpResponse> {
  const answer = await member.caller.post('/registry/register', {
    id: member.id,
    workspace_id: member.id,
    agent_card: options.card ?? { name: options.name ?? 'agent' },
    ...(options.url === undefined ? { delivery_mode: 'poll' } : { delivery_mode: 'push', url: options.url }),
  });
  if (answer.status !== 200) throw new Error(`register: ${answer.status} ${answer.failure ?? answer.text}`);
  return answer;
}

export function heartbeat(
  member: Member,
  metrics: Readonly<Record<string, unknown>> = {},
): Promise<HttpResponse> {
  return member.caller.post('/registry/heartbeat', { workspace_id: member.id, ...metrics });
}

/** The status that the operator sees. */
export async function statusOf(platform: RunningPlatform, id: string): Promise<string> {
  return textAt((await platform.operator.get(`/workspaces/${id}`)).body, 'status');
}

export interface SendOptions {
  readonly messageId?: string;
  readonly role?: 'user' | 'agent';
  readonly metadata?: JsonObject;
  readonly contextId?: string;
  /** Seconds the call is held for its answer. @default 0 */
  readonly hold?: number;
  readonly headers?: Headers;
}

/** Sends one text from `from` to the workspace `to`. Not held for an answer unless `hold` says so. */
export function send(
  from: Caller,
  to: string,
  text: string,
  options: SendOptions = {},
): Promise<HttpResponse> {
  return from.post(`/workspaces/${to}/a2a`, envelope(text, options), {
    'x-timeout': String(options.hold ?? 0),
    ...options.headers,
  });
}

export function envelope(text: string, options: SendOptions = {}): Record<string, unknown> {
  return {
    ...buildSendMessage({
      messageId: options.messageId ?? randomUUID(),
      text,
      role: options.role,
      contextId: options.contextId,
      metadata: options.metadata,
    }),
  };
}

/** What the agent's inbound feed shows, oldest first. */
export async function inbox(member: Member, query = ''): Promise<Record<string, unknown>[]> {
  const path = `/workspaces/${member.id}/activity?type=a2a_receive&order=asc&limit=500${query}`;
  return rowsOf(await member.caller.get(path));
}

/** The texts of {@link inbox}. */
export async function inboxTexts(member: Member, query = ''): Promise<string[]> {
  return (await inbox(member, query)).map((row) => textAt(row, 'data', 'text'));
}

/** Waits, by long-poll, until the feed shows at least `count` inbound rows. */
export async function waitForRow(member: Member, count = 1): Promise<Record<string, unknown>[]> {
  let rows = await inbox(member);
  while (rows.length < count) {
    const last = rows.at(-1);
    const since = last === undefined ? '' : `&since_id=${textAt(last, 'id')}`;
    await member.caller.get(`/workspaces/${member.id}/activity?type=a2a_receive&wait=30${since}`);
    rows = await inbox(member);
  }
  return rows;
}
