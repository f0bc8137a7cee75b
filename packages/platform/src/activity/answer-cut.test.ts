import { describe, expect, it } from 'vitest';
import { cutJson } from './activity-row.ts';

describe('cutting an answer', () => {
  it('keeps short fields, cuts texts at whole characters and leaves out the rest', () => {
    const value = {
      parts: [
        { kind: 'text', text: '😀"'.repeat(1_000) },
        { kind: 'text', text: 'second' },
      ],
      metadata: { large: 'm'.repeat(5_000) },
      messageId: 'id',
      role: 'agent',
    };
    const cut = cutJson(value, 1_000);
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThanOrEqual(1_010);
    expect(cut).toMatchObject({ messageId: 'id', role: 'agent', parts: [{ kind: 'text' }] });
    expect(cut.metadata).toBeUndefined();
    const [{ text } = { text: '' }, ...others] = cut.parts as { text: string }[];
    expect(others).toEqual([]);
    expect(text.length).toBeGreaterThan(100);
    expect(/[\ud800-\udbff]$/.test(text)).toBe(false);
    expect(value.parts[0]?.text.startsWith(text)).toBe(true);
    expect(Object.keys(cut)).toEqual(['parts', 'messageId', 'role']);
  });

  it('changes nothing that fits', () => {
    const value = { a: [1, 'x', null, true, { b: {} }], c: '' };
    expect(cutJson(value, 10_000)).toEqual(value);
  });
});
