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

  it('removes known values at any position', () => {
    expect(redactSecrets('x=opensesame, yopensesamez', ['opensesame'])).toBe('x=[redacted], y[redacted]z');
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

  it('does not change ordinary text', () => {
    const text =
      'GET /workspaces/0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01/state returned 401: missing workspace auth token';
    expect(redactSecrets(text)).toBe(text);
  });

  it.each(['token', 'eyJ-', 'a://', 'bearer ', 'secret="', 'a.', '-'])(
    'is fast on a megabyte of %j',
    (unit) => {
      const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
      const startedAt = performance.now();
      redactSecrets(text);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    },
  );
});
