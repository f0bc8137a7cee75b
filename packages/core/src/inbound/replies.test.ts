import type { InboundMessage } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';

const HOUR = 3_600_000;

describe('a returned text', () => {
  it.each([undefined, null, '', '  \n', { text: ' ' }])('%j is not a reply', async (value) => {
    const run = await startInbound({ handler: async () => value });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.feed.replies).toEqual([]);
    expect(run.feed.acks).toEqual(['row-1']);
  });

  it.each<[string, Partial<InboundMessage>, boolean]>([
    ['a message of role agent', { role: 'agent' }, false],
    ['an answer', { inReplyTo: 'mine' }, false],
    ['an unknown source', { source: 'unknown', sourceId: '', peerId: '' }, false],
    ['a peer without an id', { source: 'peer_agent', peerId: '' }, false],
    ['a person', { source: 'canvas_user', sourceId: '', peerId: '' }, true],
  ])('after %s', async (_name, change, isSent) => {
    const run = await startInbound({ handler: async () => 'hello' });
    run.feed.push({ id: 'row-1', ...change });
    await run.advance(1_000);
    expect(run.feed.replies).toHaveLength(isSent ? 1 : 0);
    expect(run.feed.acks).toEqual(['row-1']);
  });
});

describe('context.reply', () => {
  it('sends an answer; a text returned later is not sent', async () => {
    const run = await startInbound({
      handler: async (_message, { reply }) => {
        await reply('one');
        await reply('two');
        return 'three';
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.feed.replies.map(({ key, text }) => [key, text])).toEqual([
      ['message-of-row-1/reply', 'one'],
      ['message-of-row-1/reply-2', 'two'],
    ]);
  });

  it('a later attempt does not send the same answers again, nor a returned text', async () => {
    const run = await startInbound({
      handler: async (_message, { reply, attempt }) => {
        await reply('one');
        if (attempt === 1) throw new Error('Later.');
        await reply('two');
        return 'three';
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(HOUR);
    expect(run.feed.replies.map((reply) => reply.text)).toEqual(['one', 'two']);
  });
});

describe('context.progress', () => {
  it('is one line of at most 200 characters', async () => {
    const run = await startInbound({
      handler: async (_message, { progress }) => {
        progress(' reading\n  the mail ');
        progress('x'.repeat(500));
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    const lines = run.observed.filter((event) => event.startsWith('progressed'));
    expect(lines).toEqual(['progressed:row-1:reading the mail', `progressed:row-1:${'x'.repeat(200)}`]);
  });
});
