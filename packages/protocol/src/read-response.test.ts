import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readResponse } from './read-response.ts';
import { HeartbeatResponse, RegisterResponse } from './registration.ts';
import { wire } from './wire.ts';

const Item = wire('Item', (w) => w.object({ id: z.string(), note: w.maybe(z.string()) }));
const Nested = wire('Nested', (w) =>
  w.object({
    items: z.array(w.use(Item)),
    more: w.maybe(w.object({ list: z.array(w.use(Item)), word: w.maybe(z.string()) })),
    at: w.orNull(w.timestamp()),
    name: w.orEmpty(),
  }),
);

describe('reading a response', () => {
  it.each([
    ['expires_at', 1_767_225_600],
    ['platform_inbound_secret', 5],
    ['org_id', 7],
    ['capabilities', 'acknowledge'],
    ['capabilities', ['acknowledge', 5]],
    ['issuer', { url: 'x' }],
    ['status', 1],
    ['delivery_mode', false],
    ['workspace_id', 9],
  ])('leaves out a %s that cannot be read: %j', (key, value) => {
    const body = Object.freeze({ auth_token: 'the-token', [key]: value });
    expect(readResponse(RegisterResponse, body)).toEqual({
      kind: 'read',
      value: { auth_token: 'the-token' },
      dropped: [key],
    });
    expect(body).toHaveProperty(key, value);
  });

  it('leaves out every one of several, and nothing else', () => {
    const body = { status: 'ok', pending: '3', paused: 'false', server_time: 5, workspace_status: 'online' };
    expect(readResponse(HeartbeatResponse, body)).toMatchObject({
      value: { status: 'ok', workspace_status: 'online' },
      dropped: ['paused', 'pending', 'server_time'],
    });
  });

  it('leaves out the innermost part that may be missing', () => {
    const items = [
      { id: 'a', note: 5 },
      { id: 'b', note: 'kept' },
    ];
    const body = { items, more: { list: [{ id: 7 }], word: 'lost with it' }, at: 5, name: [] };
    expect(readResponse(Nested, body)).toEqual({
      kind: 'read',
      value: { items: [{ id: 'a' }, { id: 'b', note: 'kept' }], at: null, name: '' },
      dropped: expect.arrayContaining(['items.0.note', 'more', 'at', 'name']),
    });
    expect(readResponse(Nested, { items: [], more: { list: [], word: 1 } })).toMatchObject({
      value: { more: { list: [] } },
      dropped: ['more.word'],
    });
  });

  it.each([
    [{ status: 5 }, 'status', /^must be a text, not a number$/],
    [{}, 'status', /^is missing$/],
    [[], '', /^must be an object, not a list$/],
    [undefined, '', /^is missing$/],
  ])('names what is required and cannot be read: %j', (body, key, problem) => {
    const read = readResponse(HeartbeatResponse, body);
    expect(read).toEqual({ kind: 'unreadable', key, problem: expect.stringMatching(problem) });
  });

  it('reads no list without its items, and nothing without what the reader needs', () => {
    expect(readResponse(Nested, { items: [{ id: 'a' }, 5] })).toMatchObject({
      kind: 'unreadable',
      key: 'items[1]',
    });
    const body = { auth_token: 5, org_id: 7 };
    expect(readResponse(RegisterResponse, body, ['auth_token'])).toMatchObject({
      kind: 'unreadable',
      key: 'auth_token',
    });
    expect(readResponse(RegisterResponse, body)).toMatchObject({ kind: 'read', value: {} });
  });

  it('leaves out a part of each of many items', () => {
    const items = Array.from({ length: 5_000 }, (_, index) => ({ id: String(index), note: index }));
    const read = readResponse(Nested, { items });
    expect(read).toMatchObject({ kind: 'read', dropped: { length: 5_000 } });
  });
});
