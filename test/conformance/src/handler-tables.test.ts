import { readFileSync } from 'node:fs';
import type { HandlerContext, InboundMessage } from '@molecule-ai/core';
import { expect } from 'vitest';
import { onboard, send } from './harness/members.ts';
import { DELIVERIES, startTestAgent } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const README = new URL('../../../packages/core/README.md', import.meta.url);

/** The names in the first column of the table below a heading of the third level, by whether the row has a mark. */
function fieldsBelow(heading: string): Map<string, boolean> {
  const [, section = ''] = readFileSync(README, 'utf8').split(`\n### ${heading}\n`);
  const [own = ''] = section.split(/^##/m);
  const cells = [...own.matchAll(/^\| (`[^|]*) \|/gm)].map((match) => match[1] ?? '');
  return new Map(
    cells.flatMap((cell) =>
      [...cell.matchAll(/`(\w+)`/g)].map((name) => [name[1] ?? '', cell.endsWith('*')] as const),
    ),
  );
}

const EVENTS = new URL('../../../packages/core/src/agent/agent-events.ts', import.meta.url);

onEachDatabase('tables of what a handler gets', (environment) => {
  verifies('documents.handler-tables', 'handler fields', async () => {
    const [messages, contexts]: [InboundMessage[], HandlerContext[]] = [[], []];
    const stage = await startTestAgent(environment, {
      ...DELIVERIES[0],
      onMessage: (message, context) => {
        messages.push(message);
        contexts.push(context);
        return 'done';
      },
    });
    const peer = await onboard(stage.platform, { name: 'peer', role: 'tester' });
    await send(stage.platform.operator, stage.member.id, 'from a person', { messageId: 'p-1' });
    await send(peer.caller, stage.member.id, 'from a peer', { messageId: 'w-1' });
    await stage.until(() => messages.length === 2);

    const fields = fieldsBelow('The message');
    for (const message of messages) expect(Object.keys(message).sort()).toEqual([...fields.keys()].sort());
    for (const context of contexts) {
      expect(Object.keys(context).sort()).toEqual([...fieldsBelow('The context').keys()].sort());
    }
    const person = messages.find(({ source }) => source === 'canvas_user');
    expect(person).toMatchObject({ peerId: '', sourceId: '', peerName: '', peerRole: '', inReplyTo: '' });
    expect(person).toMatchObject({ agentCardUrl: '', answers: [], messageId: 'p-1', method: 'message/send' });
    const fromPeer = messages.find(({ source }) => source === 'peer_agent');
    expect(fromPeer).toMatchObject({ peerId: peer.id, sourceId: peer.id, peerName: 'peer', role: 'user' });
    for (const { id, activityId, conversationId, receivedAt, seq } of messages) {
      expect(activityId).toBe(id);
      expect(conversationId).toMatch(/^[0-9a-f]{32}$/);
      expect(receivedAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      expect(seq).toBeTypeOf('number');
    }
    // What the platform decides has no mark, what the sender writes has one.
    expect(['id', 'source', 'peerId', 'receivedAt'].map((name) => fields.get(name))).not.toContain(true);
    expect(['text', 'parts', 'metadata', 'raw'].map((name) => fields.get(name))).not.toContain(false);
  });

  verifies('documents.handler-tables', 'agent events', () => {
    const [, declared = ''] = readFileSync(EVENTS, 'utf8').split('export interface AgentEvents {');
    const [body = ''] = declared.split('\n}\n');
    const names = [...body.matchAll(/^ {2}'?([a-z-]+)'?: \[/gm)].map((match) => match[1]);
    const [, table = ''] = readFileSync(README, 'utf8').split('\n| Event | Arguments | When |\n');
    const [rows = ''] = table.split('\n\n');
    const listed = [...rows.matchAll(/^\| (`[^|]*) \|/gm)].flatMap((row) =>
      [...(row[1] ?? '').matchAll(/`([a-z-]+)`/g)].map((match) => match[1]),
    );
    expect(names).toContain('started');
    expect(listed.sort()).toEqual(names.sort());
  });
});
