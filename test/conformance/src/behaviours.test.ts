import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BEHAVIOURS } from './behaviours.ts';

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

const entries = Object.entries(BEHAVIOURS);

describe('the registry of behaviours', () => {
  it('has ids of dotted lower-case words, area first', () => {
    for (const [id] of entries)
      expect(id).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+$/);
  });

  it('says each behaviour in one sentence, and where it is asked for', () => {
    for (const [id, { sentence, source }] of entries) {
      expect(sentence, id).toMatch(/^\S.*[^.]\.$/);
      expect(sentence, id).not.toContain('\n');
      expect(source, id).toMatch(
        /^docs\/(?:contract|decisions)\/\S+(?:; docs\/(?:contract|decisions)\/\S+)?$/,
      );
    }
    const sentences = entries.map(([, { sentence }]) => sentence);
    expect(new Set(sentences).size).toBe(sentences.length);
  });

  it('has a place or a reason for each id of the first registry', () => {
    const former: Readonly<Record<string, string | { readonly gone: string }>> = JSON.parse(
      text('../former-ids.json'),
    );
    expect(Object.keys(former)).toHaveLength(1_075);
    for (const [id, now] of Object.entries(former)) {
      if (typeof now === 'string') expect(BEHAVIOURS, id).toHaveProperty([now]);
      else expect(now.gone, id).toMatch(/\w/);
    }
  });

  it('names commands that CI runs', () => {
    const ci = text('../../../.ci/run');
    for (const command of new Set(entries.map(([, { command }]) => command)))
      expect(ci, command).toMatch(new RegExp(`^npx -y pnpm@12 ${command}$`, 'm'));
  });
});
