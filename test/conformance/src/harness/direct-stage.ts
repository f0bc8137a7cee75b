import { randomUUID } from 'node:crypto';
import type { JsonObject, RemoteAgentClient, RemoteAgentClientOptions } from '@molecule-ai/core';
import {
  type AgentRequest,
  type AgentScript,
  completed,
  type ScriptedAgent,
  type ScriptedAgentOptions,
} from '@molecule-tests/harness';
import type { TestEnvironment } from './test-environment.ts';

export const PLATFORM_BEARER = 'secret-token-of-this-workspace-43-characters';
export const CAPABILITIES = 'acknowledge,message-dedupe,message-status,cancel,peer-tokens';

export interface DirectStageOptions {
  /** What the peer's server does. */
  readonly script: AgentScript;
  readonly client?: RemoteAgentClientOptions;
  /** Changes of what discover responds; `null` for a peer that is not found. */
  readonly discovered?: () => Record<string, unknown> | null;
  readonly peer?: Partial<ScriptedAgentOptions>;
}

/** A client, a platform that gives it the URL of one peer with a token, and that peer's server. */
export interface DirectStage {
  readonly client: RemoteAgentClient;
  readonly peerId: string;
  readonly peer: ScriptedAgent;
  readonly platform: ScriptedAgent;
  /** Calls that reached the platform. */
  readonly proxied: () => readonly AgentRequest[];
  readonly lookups: () => number;
  /** Adds a message of the peer to the feed of the client's workspace. */
  readonly arrive: (message: {
    readonly inReplyTo: string;
    readonly text: string;
    readonly metadata?: JsonObject;
  }) => JsonObject;
}

/** Both servers are scripted: only others misbehave like this. */
export async function stageDirect(
  environment: TestEnvironment,
  { script, client: options = {}, discovered, ...rest }: DirectStageOptions,
): Promise<DirectStage> {
  const id = randomUUID();
  const peerId = randomUUID();
  const peer = await environment.scriptedAgent({ ...rest.peer, script });
  let tokens = 0;
  const headers = { 'x-molecule-capabilities': CAPABILITIES };
  const platform = await environment.scriptedAgent({
    script: (request) => {
      if (request.path === `/registry/discover/${peerId}`) {
        tokens += 1;
        const changes = discovered?.();
        if (changes === null) {
          const body = { error: 'not found', code: 'workspace_not_found' };
          return { kind: 'json', status: 404, headers, body };
        }
        const body = {
          id: peerId,
          url: `${peer.url}/a2a`,
          name: 'analyst',
          agent_card: { name: 'analyst' },
          peer_token: `peer-token-${tokens}`,
          peer_token_expires_at: new Date(Date.now() + 300_000).toISOString(),
          ...changes,
        };
        return { kind: 'json', headers, body };
      }
      if (request.path.endsWith('/a2a')) {
        return { kind: 'json', headers, body: completed(request, 'through the platform') };
      }
      if (request.path.includes('/activity')) return { kind: 'json', headers, body: rows };
      return { kind: 'json', headers, body: { status: 'ok' } };
    },
  });
  const rows: JsonObject[] = [];
  const client = environment.client(platform, { id, token: PLATFORM_BEARER }, options);
  await client.heartbeat();
  const seen = (part: string) => platform.requests.filter(({ path }) => path.includes(part));
  return {
    client,
    peerId,
    peer,
    platform,
    // Of this peer only: a port that a server of another test had gets the requests of those who still call that one.
    proxied: () => seen(`/workspaces/${peerId}/a2a`),
    lookups: () => seen('/registry/discover/').length,
    arrive: ({ inReplyTo, text, metadata = {} }) => {
      const message = {
        role: 'agent',
        messageId: `late-${rows.length}`,
        parts: [{ kind: 'text', text }],
        metadata: { ...metadata, in_reply_to: inReplyTo },
      };
      const row = {
        id: randomUUID(),
        seq: rows.length + 1,
        source_id: peerId,
        message_id: message.messageId,
        in_reply_to: inReplyTo,
        request_body: { method: 'message/send', params: { message } },
      };
      rows.push(row);
      return row;
    },
  };
}

export function messageIdOf({ body }: AgentRequest): string | undefined {
  return (body as { params?: { message?: { messageId?: string } } }).params?.message?.messageId;
}
