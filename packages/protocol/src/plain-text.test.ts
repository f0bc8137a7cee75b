import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isColumnText, type Route, routes, toColumnText, type Wire } from './index.ts';

const NUL = 'left\0right';
const HALF = 'left\ud800right';
const URLS = [
  'http://example.com:80\\@127.0.0.1/',
  'ht\ntp://example.com/',
  'http://example.com/\u007f',
  'http://example.com/\u0085',
];

/** Texts of messages and values that are kept as they came; everything else of a request is a plain column. */
const KEPT = [
  'acknowledgeActivity: outcomes.0.error.message',
  'acknowledgeActivity: outcomes.0.error.code',
  'reportProgress: text',
  'notify: message',
  'notify: attachments.0.uri',
  'notify: attachments.0.name',
  'notify: attachments.0.mimeType',
  'askQuestions: questions.0.text',
  'answerQuestion: text',
  'createWorkspace: initial_memories.0.content',
  'createSession: operator_key',
  'setSecret: value',
  'putSecret: value',
  'setGlobalSecret: value',
  'putGlobalSecret: value',
  'setAdminSecret: value',
];
const URL_FIELDS = [
  'createWorkspace: url',
  'patchWorkspace: url',
  'register: url',
  'register: agent_card.url',
  'heartbeat: agent_card.url',
  'updateCard: agent_card.url',
  'reportPlugin: source',
];

type Leaf = { readonly name: string; readonly path: readonly string[]; readonly wire: Wire };

const leaves: readonly Leaf[] = Object.values<Route>(routes).flatMap(({ name, request }) => {
  if (request === undefined || 'media' in request || name === 'sendMessage' || name === 'sendOwnMessage') {
    return [];
  }
  const schema = z.toJSONSchema(request.tolerant, { io: 'input', unrepresentable: 'any' });
  return stringPaths(schema as Schema).map((path) => ({
    name: `${name}: ${path.join('.')}`,
    path,
    wire: request,
  }));
});

describe('every text of every request', () => {
  it('is either a plain column or in the list of those that are kept', () => {
    const names = leaves.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(60);
    expect([...KEPT, ...URL_FIELDS].filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(leaves)('$name refuses NUL and half of a surrogate pair, or keeps both', ({ name, path, wire }) => {
    const isKept = KEPT.includes(name) || isOfCard(name);
    for (const text of [NUL, HALF]) expect(isRefused(wire, path, text), JSON.stringify(text)).toBe(!isKept);
  });

  it.each(URL_FIELDS)('%s refuses what URL parsers read differently', (name) => {
    const leaf = leaves.find((each) => each.name === name);
    if (leaf === undefined) throw new Error(name);
    for (const url of URLS) expect(isRefused(leaf.wire, leaf.path, url), url).toBe(true);
    expect(isRefused(leaf.wire, leaf.path, 'https://example.com/a%5Cb?q=%00')).toBe(false);
  });
});

it('a summary has U+FFFD for what no column holds', () => {
  expect(toColumnText(`${NUL} ${HALF} 😀`)).toBe('left�right left�right 😀');
  expect(isColumnText('😀 line\nbreak\u0001')).toBe(true);
});

/** A card is JSON that is returned as it came; only its URL is refused when parsers disagree about it. */
function isOfCard(name: string): boolean {
  return name.includes(': agent_card.') && !name.endsWith('agent_card.url');
}

/** Whether the text at this path is an issue of its own; missing neighbours are issues at other paths. */
function isRefused({ tolerant }: Wire, path: readonly string[], text: string): boolean {
  const parsed = tolerant.safeParse(place(path, text));
  return !parsed.success && parsed.error.issues.some((issue) => issue.path.join('.') === path.join('.'));
}

function place([key, ...rest]: readonly string[], text: string): unknown {
  if (key === undefined) return text;
  const inner = place(rest, text);
  return key === '0' ? [inner] : { [key]: inner };
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly const?: unknown;
}

function stringPaths(schema: Schema): string[][] {
  const properties = Object.entries(schema.properties ?? {});
  const nested = [
    ...properties.flatMap(([key, inner]) => stringPaths(inner).map((path) => [key, ...path])),
    ...(schema.items === undefined ? [] : stringPaths(schema.items).map((path) => ['0', ...path])),
    ...(schema.anyOf ?? []).flatMap(stringPaths),
  ];
  const types = [schema.type].flat();
  return types.includes('string') && schema.const === undefined ? [[], ...nested] : nested;
}
