import { describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { JsonObject, JsonValue, MAX_JSON_DEPTH } from './open-json.ts';
import { DiscoverResponse, PeerList } from './peers.ts';
import { HeartbeatRequest, RegisterRequest, RegisterResponse } from './registration.ts';
import { type WireType, wire } from './wire.ts';

const Inner = wire('Inner', (w) => w.object({ word: w.oneOf(['known']), more: w.maybe(z.string()) }));
const Outer = wire('Outer', (w) => w.object({ list: z.array(w.use(Inner)), sent: w.promised(z.string()) }));
const id = 'A1B2C3D4-0000-4000-8000-000000000001';

function nested(depth: number): JsonValue {
  let value: JsonValue = 'x';
  for (let i = 0; i < depth; i += 1) value = [value];
  return value;
}

describe('wire', () => {
  it('refuses unknown keys at depth when strict and drops them when tolerant', () => {
    const body = { list: [{ word: 'known', extra: 1 }], sent: 'y', other: true };
    expect(Outer.strict.safeParse(body).success).toBe(false);
    expect(Outer.strict.safeParse({ list: [{ word: 'known', extra: 1 }], sent: 'y' }).success).toBe(false);
    expect(Outer.tolerant.parse(body)).toEqual({ list: [{ word: 'known' }], sent: 'y' });
  });

  it('demands promised keys of us and forgives others', () => {
    expect(Outer.strict.safeParse({ list: [] }).success).toBe(false);
    expect(Outer.tolerant.parse({ list: [] })).toEqual({ list: [] });
    expect(Outer.tolerant.parse({ list: [], sent: null }).sent).toBeUndefined();
    expect(Outer.tolerant.safeParse({ list: [], sent: 5 }).success).toBe(false);
  });

  it('knows its words when strict and lets others pass when tolerant', () => {
    expect(Inner.strict.safeParse({ word: 'new' }).success).toBe(false);
    expect(Inner.tolerant.parse({ word: 'new', more: null })).toEqual({ word: 'new' });
  });

  it('names one workspace by either alias', () => {
    expect(RegisterRequest.tolerant.safeParse({ workspace_id: id }).success).toBe(true);
    expect(RegisterRequest.tolerant.safeParse({ id, workspace_id: id.toLowerCase() }).success).toBe(true);
    expect(RegisterRequest.tolerant.safeParse({ id, workspace_id: 'other' }).success).toBe(false);
    expect(HeartbeatRequest.tolerant.safeParse({}).success).toBe(false);
    expect(HeartbeatRequest.strict.safeParse({ id, status: 'online', error_rate: 0 }).success).toBe(true);
  });

  it('reads answers of older platforms', () => {
    expect(RegisterResponse.tolerant.parse({ auth_token: 't', expires_at: null })).toEqual({
      auth_token: 't',
    });
    const withSecret = { status: 'registered', platform_inbound_secret: 's' };
    expect(RegisterResponse.tolerant.parse({ ...withSecret, more: 1 })).toEqual(withSecret);
    const peer = {
      id: 'p',
      tier: 1,
      status: 'odd',
      active_tasks: 0,
      agent_card: { name: 5, skills: 'x', more: 1 },
    };
    expect(PeerList.tolerant.parse([peer])[0]).toMatchObject({
      ...peer,
      name: '',
      role: null,
      url: '',
      agent_card: { more: 1 },
    });
    expect(DiscoverResponse.tolerant.parse({ id: 'ws_1' })).toEqual({ id: 'ws_1', url: '' });
  });
});

describe('types', () => {
  it('are inferred without any', () => {
    type Outer = WireType<typeof Outer>;
    expectTypeOf<Outer['sent']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Outer['list'][number]['word']>().toEqualTypeOf<'known' | (string & {})>();
    expectTypeOf<WireType<typeof RegisterRequest>['delivery_mode']>().toEqualTypeOf<
      'push' | 'poll' | undefined
    >();
    expectTypeOf<keyof WireType<typeof DiscoverResponse>>().toExtend<string>();
    expectTypeOf<WireType<typeof DiscoverResponse>['url']>().toEqualTypeOf<string>();
  });
});

describe('open values', () => {
  it('are kept by reference and bounded in depth, without recursion', () => {
    const card = { a: [{ b: null }] };
    expect(JsonObject.parse(card)).toBe(card);
    expect(JsonValue.safeParse(nested(MAX_JSON_DEPTH)).success).toBe(true);
    expect(JsonValue.safeParse(nested(MAX_JSON_DEPTH + 1)).success).toBe(false);
    expect(JsonValue.safeParse(nested(200_000)).success).toBe(false);
  });

  it('refuse what is not JSON', () => {
    for (const value of [undefined, Number.NaN, 1n, () => 1, new Date(), [undefined]]) {
      expect(JsonValue.safeParse(value).success).toBe(false);
    }
    expect(JsonObject.safeParse([]).success).toBe(false);
    expect(JsonObject.safeParse(null).success).toBe(false);
  });

  it('have a JSON schema, for the API description', () => {
    expect(z.toJSONSchema(RegisterRequest.strict)).toMatchObject({ type: 'object' });
  });
});
