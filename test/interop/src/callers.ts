import type { RemoteAgentClient } from '@molecule-ai/core';
import { cardOf, expectHttpError, expectRefusal, type Pairing, wrapped } from './expectations.ts';
import type { Agent, Client } from './participants.ts';

type Checks = Record<string, () => Promise<void>>;

/** A client whose token is none, and one that asks for a workspace that does not exist. */
export function refusalsOf(pairing: Pairing, stranger: Client): Checks {
  const { client, agent } = pairing;
  const text = `not allowed for ${client.name}`;
  const send = { op: 'send', text } as const;
  return {
    'no-card': async () => {
      expectHttpError(await stranger.process.call({ url: agent.url }, send), 401);
    },
    'no-token': async () => {
      const target = { url: agent.url, card: await cardOf(pairing) };
      expectRefusal(pairing, await stranger.process.call(target, send), 401, -32000);
      if (agent.hasRun(text)) throw new Error('the agent ran');
    },
    'no-workspace': async () => {
      const url = agent.url.replace(/[0-9a-f-]{36}/, '00000000-0000-4000-8000-000000000000');
      const card = JSON.parse(JSON.stringify(await cardOf(pairing)).replaceAll(agent.url, url)) as object;
      expectRefusal(pairing, await client.process.call({ url, card }, send), 403, -32000);
    },
  };
}

/** What a caller that uses `@molecule-ai/core` gets; it speaks 0.3, which a strict agent of 1.0 refuses. */
export function callsTo(agent: Agent, caller: RemoteAgentClient): Checks {
  const id = new URL(agent.url).pathname.split('/')[2] ?? '';
  const expectReply = (text: string, said: string, status: string) => async () => {
    const reply = await caller.callPeer(id, text);
    if (reply.text !== said || reply.status !== status) throw new Error(`got ${reply.status} ${reply.text}`);
  };
  if (agent.versions.includes('0.3')) {
    const task = expectReply('task', agent.isRemote ? 'You said: task' : 'Done: task', 'answered');
    return { call: expectReply('hello', 'You said: hello', 'answered'), task };
  }
  const refused = async () => {
    const { status, text } = await caller.callPeer(id, 'hello');
    if (status !== 'failed') throw new Error(`got ${status} ${text}`);
  };
  return { refused };
}

/** Messages that leave out what A2A 0.3 requires; the platform completes them for a strict server. */
export function looseMessagesTo(agent: Agent, headers: Readonly<Record<string, string>>): Checks {
  const said = { messageId: 'loose', role: 'user' };
  const messages: Readonly<Record<string, object>> = {
    'no-role': { parts: [{ kind: 'text', text: 'hello' }] },
    'type-only': { ...said, parts: [{ type: 'text', text: 'hello' }] },
    'text-only': { ...said, parts: [{ text: 'hello' }] },
    content: { ...said, content: [{ type: 'text', text: 'hello' }] },
    bare: { parts: [{ text: 'hello' }] },
  };
  const check = (name: string, message: object) => async () => {
    const params = { message: { ...message, messageId: `${name} for ${agent.name}` } };
    const request = { jsonrpc: '2.0', id: 1, method: 'message/send', params };
    const response = await fetch(agent.url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(name === 'bare' ? message : request),
    });
    const body = await response.text();
    if (!body.includes(wrapped('You said: hello'))) throw new Error(`got ${response.status} ${body}`);
  };
  return Object.fromEntries(Object.entries(messages).map(([name, message]) => [name, check(name, message)]));
}
