import { expect, it } from 'vitest';
import { approvalSeals, releaseApprovals, useApprovals } from './approval-seals.ts';

const content = {
  conversationId: 'chat-1',
  callId: 'call_0',
  toolName: 'pay',
  input: { to: 'lab', amount: { value: 5, currency: 'EUR' }, tags: ['a', 'b'] },
};

it('opens what it sealed, whatever the order of keys', () => {
  const seals = approvalSeals('a secret of this test');
  const sealed = seals.seal('approval.1', content);
  expect(seals.open(sealed, content)).toBe('approval.1');
  const turned = { tags: ['a', 'b'], amount: { currency: 'EUR', value: 5 }, to: 'lab' };
  expect(seals.open(sealed, { ...content, input: turned })).toBe('approval.1');
  expect(approvalSeals('a secret of this test').open(sealed, content)).toBe('approval.1');
});

it('opens nothing with other content, from elsewhere, or made up', () => {
  const seals = approvalSeals();
  const sealed = seals.seal('approval-1', content);
  const inputs = [
    { ...content.input, amount: { value: 6, currency: 'EUR' } },
    { ...content.input, tags: ['b', 'a'] },
    { ...content.input, more: null },
    { entries: Object.entries(content.input) },
    undefined,
  ];
  for (const input of inputs) expect(seals.open(sealed, { ...content, input })).toBeUndefined();
  for (const changed of ['conversationId', 'callId', 'toolName']) {
    expect(seals.open(sealed, { ...content, [changed]: 'another' })).toBeUndefined();
  }
  expect(approvalSeals('a secret of this test').open(sealed, content)).toBeUndefined();
  const [, signature] = sealed.split('.');
  for (const made of [
    '',
    '.',
    'approval-1',
    'approval-1.',
    `approval-2.${signature}`,
    `approval-1.${'A'.repeat(43)}`,
  ]) {
    expect(seals.open(made, content)).toBeUndefined();
  }
  expect(approvalSeals().open(sealed, content)).toBe('approval-1');
});

it('seals what a client gets as JSON', () => {
  const seals = approvalSeals();
  const input = { at: new Date(0), left: undefined };
  const sealed = seals.seal('approval-1', { ...content, input });
  expect(seals.open(sealed, { ...content, input: JSON.parse(JSON.stringify(input)) })).toBe('approval-1');
  const empty = seals.seal('approval-2', { ...content, input: undefined });
  expect(seals.open(empty, { ...content, input: null })).toBe('approval-2');
});

it('lets approvals be used once, all of them or none', () => {
  expect(useApprovals(['seals-1', 'seals-2'])).toBe(true);
  expect(useApprovals(['seals-3', 'seals-2'])).toBe(false);
  expect(useApprovals(['seals-3'])).toBe(true);
  releaseApprovals(['seals-1']);
  expect(useApprovals(['seals-1'])).toBe(true);
});

it('knows the latest 10 000 that were used', () => {
  expect(useApprovals(['seals-first'])).toBe(true);
  useApprovals(Array.from({ length: 9_999 }, (_, at) => `seals-many-${at}`));
  expect(useApprovals(['seals-first'])).toBe(false);
  useApprovals(['seals-last']);
  expect(useApprovals(['seals-first'])).toBe(true);
});
