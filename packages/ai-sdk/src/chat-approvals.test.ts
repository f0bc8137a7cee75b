import { expect, it } from 'vitest';
import { approvalSigner, redeemInProcess } from './chat-approvals.ts';

const content = {
  conversationId: 'chat-1',
  callId: 'call_0',
  toolName: 'pay',
  input: { to: 'lab', amount: { value: 5, currency: 'EUR' }, tags: ['a', 'b'] },
};

it('verifies what it signed, whatever the order of keys', () => {
  const signer = approvalSigner('a secret of this test');
  const signed = signer.sign('approval.1', content);
  expect(signer.verify(signed, content)).toBe('approval.1');
  const turned = { tags: ['a', 'b'], amount: { currency: 'EUR', value: 5 }, to: 'lab' };
  expect(signer.verify(signed, { ...content, input: turned })).toBe('approval.1');
  expect(approvalSigner('a secret of this test').verify(signed, content)).toBe('approval.1');
});

it('opens nothing with other content, from elsewhere, or made up', () => {
  const signer = approvalSigner();
  const signed = signer.sign('approval-1', content);
  const inputs = [
    { ...content.input, amount: { value: 6, currency: 'EUR' } },
    { ...content.input, tags: ['b', 'a'] },
    { ...content.input, more: null },
    { entries: Object.entries(content.input) },
    undefined,
  ];
  for (const input of inputs) expect(signer.verify(signed, { ...content, input })).toBeUndefined();
  for (const changed of ['conversationId', 'callId', 'toolName']) {
    expect(signer.verify(signed, { ...content, [changed]: 'another' })).toBeUndefined();
  }
  expect(approvalSigner('a secret of this test').verify(signed, content)).toBeUndefined();
  const [, signature] = signed.split('.');
  for (const made of [
    '',
    '.',
    'approval-1',
    'approval-1.',
    `approval-2.${signature}`,
    `approval-1.${'A'.repeat(43)}`,
  ]) {
    expect(signer.verify(made, content)).toBeUndefined();
  }
  expect(approvalSigner().verify(signed, content)).toBe('approval-1');
});

it('signs what a client gets as JSON', () => {
  const signer = approvalSigner();
  const input = { at: new Date(0), left: undefined };
  const signed = signer.sign('approval-1', { ...content, input });
  expect(signer.verify(signed, { ...content, input: JSON.parse(JSON.stringify(input)) })).toBe('approval-1');
  const empty = signer.sign('approval-2', { ...content, input: undefined });
  expect(signer.verify(empty, { ...content, input: null })).toBe('approval-2');
});

it('knows the latest 10 000 approvals that were used', () => {
  expect(redeemInProcess('first')).toBe(true);
  for (let at = 0; at < 9_999; at += 1) redeemInProcess(`many-${at}`);
  expect(redeemInProcess('first')).toBe(false);
  expect(redeemInProcess('last')).toBe(true);
  expect(redeemInProcess('first')).toBe(true);
});

it('verifies no numbers that JSON would change, and no input of more than 500 levels', () => {
  const signer = approvalSigner();
  const signed = signer.sign('approval-1', { ...content, input: [Number.POSITIVE_INFINITY, -0] });
  expect(signer.verify(signed, { ...content, input: [null, 0] })).toBe('approval-1');
  for (const input of [
    [Number.POSITIVE_INFINITY, 0],
    [null, -0],
    [Number.NaN, 0],
  ]) {
    expect(signer.verify(signed, { ...content, input })).toBeUndefined();
  }
  const nested = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  const deepest = signer.sign('approval-2', { ...content, input: nested(500) });
  expect(signer.verify(deepest, { ...content, input: nested(500) })).toBe('approval-2');
  for (const levels of [501, 100_000]) {
    expect(signer.verify(deepest, { ...content, input: nested(levels) })).toBeUndefined();
    expect(() => signer.sign('approval-3', { ...content, input: nested(levels) })).toThrow(RangeError);
  }
});
