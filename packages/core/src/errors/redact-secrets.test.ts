import { describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import { redactSecrets } from './redact-secrets.ts';

describe('redactSecrets', () => {
  it.each([
    `Authorization: Bearer ${TOKEN}`,
    `authorization=Basic dXNlcjpwYXNz`,
    `{"auth_token":"short-secret"}`,
    `{"client_secret": "a\\"b-secret"}`,
    `ADMIN_TOKEN=hunter2-secret and more`,
    `https://user:hunter2-secret@example.test/x`,
    `a bare ${TOKEN} in a sentence`,
    `jwt eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl`,
    `password: 'hunter2-secret'`,
  ])('removes the secret of %j', (text) => {
    const clean = redactSecrets(text);
    expect(clean).toContain('[redacted]');
    expect(clean).not.toMatch(/planted|hunter2|short-secret|b-secret|dXNlcjpwYXNz|c2lnbmF0dXJl/);
  });

  it.each([
    ['x=open-sesame-12345, and open-sesame-12345', 'x=[redacted], and [redacted]'],
    ['"open-sesame-12345"', '"[redacted]"'],
    ['a\\nopen-sesame-12345\\n', 'a\\n[redacted]\\n'],
    ['q=%3Dopen-sesame-12345%20', 'q=%3D[redacted]%20'],
    ['\\u003dopen-sesame-12345', '\\u003d[redacted]'],
    ['open-sesame-123456 my-open-sesame-12345', 'open-sesame-123456 my-open-sesame-12345'],
    ['open-sesame-12345open-sesame-12345 open-sesame-12345', 'open-sesame-12345open-sesame-12345 [redacted]'],
  ])('removes a known value where it is a word: %s', (text, clean) => {
    expect(redactSecrets(text, ['open-sesame-12345'])).toBe(clean);
  });

  it('leaves words of ordinary texts, although a secret is the same', () => {
    expect(redactSecrets('Invalid input', ['Invalid', 'a', ''])).toBe('Invalid input');
  });

  it.each([
    'The caller is taken from the bearer token; omit the header.',
    'Send a bearer token.',
    'This route needs basic authentication, not bearer tokens',
  ])('does not change %j', (text) => expect(redactSecrets(text)).toBe(text));

  it.each(['Bearer token-short', 'Bearer tokens3cret', 'Bearer token.short', 'Bearer credentials/x'])(
    'removes all of %j',
    (text) => expect(redactSecrets(text)).toBe('Bearer [redacted]'),
  );

  it.each([
    '    at TokenGuard.canActivate (/app/dist/token.guard.js:12:34)',
    '    at async file:///app/src/password-reset.service.ts:7:3',
    '    at cookie.mjs:1203:5\n    at next (secret.tsx:1203)',
  ])('keeps the frame %j', (frame) => expect(redactSecrets(frame)).toBe(frame));

  it.each([
    'token.guard.js:12:hunter2-secret',
    'token.js: 1234567',
    'token.js=1234:5678',
    'token:1234:5678',
    'token.txt:1234:5678',
    'token.js:1234:5678-hunter2',
    'token.js:12345678:1',
    '"token.js:1:2" token.js:hunter2',
  ])('removes the secret of %j, which is not a frame', (text) =>
    expect(redactSecrets(text)).toMatch(/^[^\d]*(?:1:2" token\.js:)?"\[redacted\]"$/),
  );

  it('does not change ordinary text', () => {
    const text =
      'GET /workspaces/0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01/state returned 401: missing workspace auth token';
    expect(redactSecrets(text)).toBe(text);
  });

  it.each(['token', 'eyJ-', 'a://', 'bearer ', 'secret="', 'a.', '-'])(
    // Quadratic work takes longer than a test may.
    'reads much of %j in linear time',
    (unit) => expect(redactSecrets(unit.repeat(Math.ceil(200_000 / unit.length)))).toBeTypeOf('string'),
  );
});
