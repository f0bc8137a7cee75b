import { stripA2aBoundary, viewMessage } from '@molecule-ai/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText, wrapAnswerMessage } from '../activity/activity-row.ts';
import { canPush, isHeld, planDelivery, pushRetryDelayMs } from './delivery.rules.ts';
import { hashMessage, namedTarget, normaliseMessage } from './request.ts';
import { toAnswer, wantsCompact, withRequestId } from './response.ts';

const target = {
  id: 't',
  status: 'online',
  delivery_mode: 'push',
  url: 'http://a/',
  max_concurrent_tasks: 1,
};
const asks = { method: 'message/send', expectsAnswer: true };

describe('the plan for a message', () => {
  it.each([
    [{}, asks, 'push'],
    [{ status: 'degraded' }, asks, 'push'],
    [{ status: 'paused' }, asks, 'store'],
    [{ status: 'offline' }, asks, 'store'],
    [{ status: 'awaiting_agent' }, asks, 'store'],
    [{ url: null }, asks, 'store'],
    [{ delivery_mode: 'poll', url: null }, asks, 'wait'],
    [{ delivery_mode: 'poll', status: 'offline' }, asks, 'store'],
    [{ delivery_mode: 'poll' }, { ...asks, expectsAnswer: false }, 'store'],
    [{ delivery_mode: 'poll' }, { ...asks, method: 'tasks/cancel' }, 'store'],
  ])('for %j and %j is %s', (change, message, plan) => {
    expect(planDelivery({ ...target, ...change }, message, 'someone')).toBe(plan);
  });

  it('never holds an agent that polls and writes to itself, nor an answer', () => {
    expect(planDelivery({ ...target, delivery_mode: 'poll' }, asks, 't')).toBe('store');
    expect(isHeld('push', { expectsAnswer: false })).toBe(false);
    expect(canPush({ ...target, url: '' })).toBe(false);
  });
});

describe('retries', () => {
  it('come after 1, 4, 16 and 64 s, each ±25 %', () => {
    const bounds = [1, 2, 3, 4, 9].map((attempts) => [
      pushRetryDelayMs(attempts, 0),
      pushRetryDelayMs(attempts, 1),
    ]);
    expect(bounds).toEqual([
      [750, 1_250],
      [3_000, 5_000],
      [12_000, 20_000],
      [48_000, 80_000],
      [48_000, 80_000],
    ]);
  });
});

describe('a normalised message', () => {
  it('expects no answer when it is one or has the role agent', () => {
    const read = (message: Record<string, unknown>, params = {}) =>
      normaliseMessage(
        { method: 'message/send', params: { message: { parts: [{ text: 'x' }], ...message }, ...params } },
        {},
        () => 'new',
      ).view;
    expect(read({ role: 'user' }).expectsAnswer).toBe(true);
    expect(read({ role: 'agent' }).expectsAnswer).toBe(false);
    expect(read({ role: 'ROLE_AGENT' }).expectsAnswer).toBe(false);
    expect(read({ metadata: { in_reply_to: 'q' } })).toMatchObject({ inReplyTo: 'q', expectsAnswer: false });
    expect(read({ metadata: { in_reply_to: 7 } })).toMatchObject({ inReplyTo: '7', expectsAnswer: false });
    expect(read({}, { contextId: 'c' }).contextId).toBe('c');
    expect(read({}, { metadata: { in_reply_to: 'q', trace_id: 't' } })).toMatchObject({
      inReplyTo: 'q',
      traceId: 't',
    });
  });

  it('keeps complete parts and unknown keys unchanged', () => {
    const message = {
      role: 'user',
      messageId: 'm',
      parts: [{ kind: 'text', type: 'text', text: 'x', odd: 1 }],
      extra: { a: [1] },
    };
    const { view } = normaliseMessage(
      { jsonrpc: '2.0', id: 7, method: 'message/stream', params: { message } },
      {},
      () => '',
    );
    expect(view.envelope).toEqual({ jsonrpc: '2.0', id: 7, method: 'message/stream', params: { message } });
  });
});

describe('the hash of a message', () => {
  it('does not depend on the order of keys or the request id, but on everything else', () => {
    const one = { jsonrpc: '2.0', id: 1, method: 'm', params: { a: 1, b: { c: [1, { d: 2, e: null }] } } };
    const same = {
      id: 'other',
      params: { b: { c: [1, { e: null, d: 2 }] }, a: 1 },
      method: 'm',
      jsonrpc: '2.0',
    };
    expect(hashMessage('t', one)).toBe(hashMessage('t', same));
    expect(hashMessage('u', one)).not.toBe(hashMessage('t', one));
    expect(hashMessage('t', { ...one, params: { a: [1], b: one.params.b } })).not.toBe(hashMessage('t', one));
    const list = { method: 'm', params: { x: [['a', 1]] } };
    expect(hashMessage('t', list)).not.toBe(hashMessage('t', { method: 'm', params: { x: { a: 1 } } }));
  });
});

const WITH_TEXT = { wraps: true, isCompact: false };
const COMPACT = { wraps: true, isCompact: true };

describe('wrapping', () => {
  it('wraps each part by itself, adds the joined text once, and can be undone', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 3 }), (texts) => {
        const parts = texts.map((text) => ({ kind: 'text', text }));
        const wrapped = toAnswer({ jsonrpc: '2.0', id: 1, result: { parts } }, WITH_TEXT);
        const result = wrapped.result as { parts: { text: string }[]; text?: string };
        expect(result.parts.map((part) => stripA2aBoundary(part.text))).toEqual(
          texts.map((text) => text.trim()),
        );
        const joined = texts.join('\n');
        if (joined !== '') expect(stripA2aBoundary(result.text ?? '')).toBe(joined.trim());
      }),
      { seed: 1 },
    );
  });

  it('of a message with an answer sets params.result', () => {
    const envelope = {
      method: 'message/send',
      params: { message: { parts: [{ text: 'a' }, { text: 'b' }] } },
    };
    const view = viewMessage(envelope);
    const wrapped = wrapAnswerMessage(view, true);
    expect(wrapped.params).toMatchObject({ result: '[A2A_RESULT_FROM_PEER]a\nb[/A2A_RESULT_FROM_PEER]' });
    expect(wrapAnswerMessage(view, false).params).toMatchObject({ result: 'a\nb' });
  });

  it('in the compact form leaves out a text that the agent itself repeats, and keeps any other', () => {
    const parts = [{ text: 'a' }, { text: 'b' }];
    expect(toAnswer({ result: { parts, text: 'a\nb' } }, COMPACT)).not.toHaveProperty('result.text');
    const kept = '[A2A_RESULT_FROM_PEER]only here[/A2A_RESULT_FROM_PEER]';
    expect(toAnswer({ result: { parts, text: 'only here' } }, COMPACT)).toHaveProperty('result.text', kept);
    expect(toAnswer({ result: { text: 'only here' } }, COMPACT)).toHaveProperty('result.text', kept);
  });

  it('is compact for callers that prefer it', () => {
    expect(wantsCompact('molecule-compact')).toBe(true);
    expect(wantsCompact('wait=5, Molecule-Compact; x=1')).toBe(true);
    for (const prefer of [undefined, '', 'respond-async', 'molecule-compactness']) {
      expect(wantsCompact(prefer)).toBe(false);
    }
  });
});

describe('other rules', () => {
  it('an answer has the id of the request that gets it', () => {
    expect(withRequestId({ jsonrpc: '2.0', id: 1, result: 1 }, 2)).toMatchObject({ id: 2 });
    expect(withRequestId({ text: 'bare' }, 2)).toEqual({ text: 'bare' });
  });

  it('a target is read from header, query, metadata, in that order', () => {
    const body = { params: { metadata: { target_workspace_id: 'm' } } };
    expect(namedTarget({ header: 'h', query: 'q', body })).toBe('h');
    expect(namedTarget({ header: ' ', query: 'q', body })).toBe('q');
    expect(namedTarget({ header: undefined, query: undefined, body })).toBe('m');
    expect(namedTarget({ header: undefined, query: undefined, body: [] })).toBeUndefined();
  });

  it('texts are cut between characters', () => {
    expect(cutText('abc', 3)).toBe('abc');
    expect(cutText('👩‍💻👩‍💻', 1)).toBe('👩');
    expect(cutText('x'.repeat(1_000_000), 80)).toHaveLength(80);
  });
});
