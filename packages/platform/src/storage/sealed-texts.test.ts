import { expect, it } from 'vitest';
import { SealedTexts } from './sealed-texts.ts';

const KEY = 'k'.repeat(32);

it('a sealed text does not show, and only its own key and place open it', () => {
  const texts = new SealedTexts(KEY);
  const sealed = texts.seal('a secret', 'row-1');
  expect(sealed).not.toContain('secret');
  expect(sealed).not.toBe(texts.seal('a secret', 'row-1'));
  expect(texts.open(sealed, 'row-1')).toBe('a secret');
  expect(new SealedTexts(KEY).open(sealed, 'row-1')).toBe('a secret');
  expect(texts.open(sealed, 'row-2')).toBeUndefined();
  expect(new SealedTexts('l'.repeat(32)).open(sealed, 'row-1')).toBeUndefined();
  expect(new SealedTexts(Buffer.from(KEY).toString('base64')).open(sealed, 'row-1')).toBe('a secret');
});

it('a damaged text is not opened', () => {
  const texts = new SealedTexts(KEY);
  const sealed = texts.seal('a secret', 'row-1');
  const flipped = `${sealed.slice(0, 10)}${sealed[10] === 'A' ? 'B' : 'A'}${sealed.slice(11)}`;
  for (const damaged of [flipped, sealed.slice(0, -4), 'v1.', 'v1.AAAA', '', 'v2.AAAA']) {
    expect(texts.open(damaged, 'row-1'), damaged).toBeUndefined();
  }
});

it('without a key a text is stored as it is, and neither kind opens the text of the other', () => {
  const [plain, sealing] = [new SealedTexts(undefined), new SealedTexts(KEY)];
  expect(plain.open(plain.seal('a.secret', 'row'), 'row')).toBe('a.secret');
  expect(sealing.open(plain.seal('a secret', 'row'), 'row')).toBeUndefined();
  expect(plain.open(sealing.seal('a secret', 'row'), 'row')).toBeUndefined();
});
