import type { ModelMessage } from 'ai';
import { expect, it } from 'vitest';
import { MemoryConversationStore } from './conversation-store.ts';

const said = (content: string): ModelMessage[] => [{ role: 'user', content }];

it('returns what was saved last, and undefined for what was never saved', async () => {
  const store = new MemoryConversationStore();
  await store.save('a', said('first'));
  await store.save('a', said('second'));
  expect(await store.load('a')).toEqual(said('second'));
  expect(await store.load('b')).toBeUndefined();
});

it('is not changed by what is done later to the list that was saved', async () => {
  const store = new MemoryConversationStore();
  const messages = said('first');
  await store.save('a', messages);
  messages.push(...said('second'));
  expect(await store.load('a')).toEqual(said('first'));
});

it('keeps the 1 000 conversations that were used last', async () => {
  const store = new MemoryConversationStore();
  for (let at = 0; at < 1_000; at += 1) await store.save(String(at), said(String(at)));
  await store.load('0');
  await store.save('new', said('new'));
  expect(await store.load('0')).toEqual(said('0'));
  expect(await store.load('1')).toBeUndefined();
  expect(await store.load('new')).toEqual(said('new'));
});

it('keeps runs under way apart from conversations', async () => {
  const store = new MemoryConversationStore();
  await store.save('mine', said('mine'));
  await store.save('mine/run', said('asks'));
  for (let at = 0; at < 1_000; at += 1) await store.save(`other/${at}`, said(String(at)));
  expect(await store.load('mine')).toEqual(said('mine'));
  expect(await store.load('mine/run')).toBeUndefined();
  await store.save('mine/run', said('asks'));
  for (let at = 0; at < 1_000; at += 1) await store.save(String(at), said(String(at)));
  expect(await store.load('mine')).toBeUndefined();
  expect(await store.load('mine/run')).toEqual(said('asks'));
});
