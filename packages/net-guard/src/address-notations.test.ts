import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkUrl } from './check-url.ts';
import { REFUSAL_REASONS } from './refusal-reason.ts';

const octet = fc.integer({ min: 0, max: 255 });
const range = (...fixed: number[]) =>
  fc.tuple(octet, octet, octet).map((rest) => [...fixed, ...rest].slice(0, 4));

const refusedIpv4 = fc.oneof(
  range(0),
  range(10),
  range(127),
  range(169, 254),
  fc.integer({ min: 16, max: 31 }).chain((second) => range(172, second)),
  fc.integer({ min: 64, max: 127 }).chain((second) => range(100, second)),
  range(192, 168),
  range(192, 0, 0),
  range(192, 0, 2),
  fc.constantFrom(18, 19).chain((second) => range(198, second)),
  range(198, 51, 100),
  range(203, 0, 113),
  fc.integer({ min: 224, max: 255 }).chain((first) => range(first)),
);

const ipv4Notations: ((bytes: number[]) => string)[] = [
  (bytes) => bytes.join('.'),
  (bytes) => `${bytes.join('.')}.`,
  (bytes) => `${toInteger(bytes)}`,
  (bytes) => `0x${toInteger(bytes).toString(16)}`,
  (bytes) => `0${toInteger(bytes).toString(8)}`,
  (bytes) => bytes.map((byte) => `0${byte.toString(8)}`).join('.'),
  (bytes) => bytes.map((byte) => `0X${byte.toString(16).toUpperCase()}`).join('.'),
  ([first, ...rest]) => `${first}.${toInteger(rest)}`,
  ([first, second, ...rest]) => `0x${(first ?? 0).toString(16)}.${second}.${toInteger(rest)}`,
  (bytes) => bytes.join('.').replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit))),
  (bytes) => bytes.join('。'),
  (bytes) => bytes.join('.').replace(/\d/g, (digit) => `%3${digit}`),
  (bytes) => `[::ffff:${bytes.join('.')}]`,
  (bytes) => `[::FFFF:${toGroups(bytes).toUpperCase()}]`,
  (bytes) => `[0000:0:0:0:0:ffff:${toGroups(bytes)}]`,
  (bytes) => `[::${bytes.join('.')}]`,
  (bytes) => `[::ffff:0:${bytes.join('.')}]`,
  (bytes) => `[64:ff9b::${bytes.join('.')}]`,
  (bytes) => `[64:ff9b:1::${toGroups(bytes)}]`,
  (bytes) => `[2002:${toGroups(bytes)}::1]`,
  (bytes) => `[2607:f8b0::200:5efe:${bytes.join('.')}]`,
];

function toInteger(bytes: number[]): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function toGroups([a = 0, b = 0, c = 0, d = 0]: number[]): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

const group = fc.integer({ min: 0, max: 0xffff });
const refusedIpv6 = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: 0xfc00, max: 0xffff }),
      fc.constantFrom(0x2002, 0x3fff & 0xfff0, 0x5f00),
      fc.integer({ min: 0x4000, max: 0xfbff }),
      fc.integer({ min: 0x0001, max: 0x1fff }),
    ),
    fc.array(group, { minLength: 7, maxLength: 7 }),
  )
  .map(([first, rest]) =>
    first === 0x3ff0 ? [0x3fff, (rest[0] ?? 0) & 0x0fff, ...rest.slice(1)] : [first, ...rest],
  );

const ipv6Notations: ((groups: number[]) => string)[] = [
  (groups) => groups.map((each) => each.toString(16)).join(':'),
  (groups) => groups.map((each) => each.toString(16).toUpperCase()).join(':'),
  (groups) => groups.map((each) => each.toString(16).padStart(4, '0')).join(':'),
  (groups) =>
    `${groups
      .slice(0, 4)
      .map((each) => each.toString(16))
      .join(':')}::1`,
  (groups) =>
    `${groups
      .slice(0, 6)
      .map((each) => each.toString(16))
      .join(':')}:1.2.3.4`,
];

describe('special addresses are refused in every notation', () => {
  it('IPv4', () => {
    fc.assert(
      fc.property(refusedIpv4, fc.constantFrom(...ipv4Notations), (bytes, write) => {
        const check = checkUrl(`http://${write(bytes)}:8080/a2a`);
        expect(check.ok).toBe(false);
        expect(!check.ok && check.reason !== 'invalid_url' && REFUSAL_REASONS.includes(check.reason)).toBe(
          true,
        );
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });

  it('IPv6', () => {
    fc.assert(
      fc.property(refusedIpv6, fc.constantFrom(...ipv6Notations), (groups, write) => {
        const check = checkUrl(`https://[${write(groups)}]/`);
        expect(check.ok).toBe(false);
        expect(!check.ok && check.reason !== 'invalid_url').toBe(true);
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });
});
