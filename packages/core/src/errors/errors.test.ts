import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import * as exported from '../index.ts';
import { AccessDeniedError, ApiError, WorkspaceRemovedError } from './api-error.ts';
import { ConnectionError } from './connection-error.ts';
import { MOLECULE_ERROR_CODES } from './error-codes.ts';
import { MessageFailure } from './message-failure.ts';
import { ConfigurationError, ERROR_BRAND, MoleculeError } from './molecule-error.ts';

const where = { status: 500, method: 'GET', path: '/workspaces/x?token=abc' };

function isErrorClass(value: unknown): value is typeof MoleculeError {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error);
}

describe('every exported error class', () => {
  const classes = Object.entries(exported).flatMap(([name, value]) =>
    isErrorClass(value) ? [[name, value] as const] : [],
  );

  it('is found', () => expect(classes.length).toBeGreaterThanOrEqual(8));

  it.each(classes)('%s has a brand of its own', (name, errorClass) => {
    expect(Object.hasOwn(errorClass, ERROR_BRAND)).toBe(true);
    expect(Reflect.get(errorClass, ERROR_BRAND)).toBe(name);
  });
});

describe('isInstance', () => {
  it('distinguishes the classes', () => {
    const denied = new AccessDeniedError('no', where);
    expect([MoleculeError, ApiError, AccessDeniedError].map((c) => c.isInstance(denied))).toEqual([
      true,
      true,
      true,
    ]);
    expect(WorkspaceRemovedError.isInstance(denied)).toBe(false);
    expect(ConfigurationError.isInstance(denied)).toBe(false);
    for (const other of [new Error('x'), null, undefined, 'x', {}, Object.create(null)]) {
      expect(MoleculeError.isInstance(other)).toBe(false);
    }
  });
});

describe('the content of an error', () => {
  it('has a sentence for every code', () => {
    for (const sentence of Object.values(MOLECULE_ERROR_CODES)) expect(sentence).toMatch(/^[A-Z].+[.]$/);
  });

  it('contains its fields and the cause, also as JSON', () => {
    const cause = Object.assign(new Error(`connect failed with Bearer ${TOKEN}`), { code: 'ECONNREFUSED' });
    const error = new ConnectionError('No way.', {
      origin: 'http://p',
      delivered: 'no',
      cause,
      hint: 'Start it.',
    });
    expect(error.cause).toBe(cause);
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      name: 'ConnectionError',
      code: 'connection_failed',
      message: 'No way.',
      hint: 'Start it.',
      isRetryable: true,
      cause: { name: 'Error', message: 'connect failed with Bearer [redacted]', code: 'ECONNREFUSED' },
      origin: 'http://p',
      delivered: 'no',
    });
  });

  it('is the cause of a MessageFailure that gets it in place of options', () => {
    const cause = Object.assign(new Error('secret'), { code: 'ENOENT' });
    const failure = new MessageFailure('No.', cause);
    expect([failure.cause, failure.code, failure.textForSender]).toEqual([cause, 'handler_failed', 'No.']);
  });

  it('truncates query and body, and contains no credential', () => {
    const body = `${JSON.stringify({ error: 'x', auth_token: TOKEN, note: `Bearer ${TOKEN}` })}${'y'.repeat(9999)}`;
    const error = new ApiError(`failed with ${TOKEN}`, {
      ...where,
      code: 'platform_error',
      body,
      details: { t: TOKEN },
    });
    expect(error.path).toBe('/workspaces/x');
    expect(error.bodyExcerpt.length).toBeLessThanOrEqual(200);
    expect(error.details).toEqual({ t: TOKEN });
    for (const shown of [JSON.stringify(error), inspect(error), String(error), error.stack]) {
      expect(shown).not.toContain(TOKEN);
    }
  });
});

it('an error is JSON whatever was thrown', () => {
  const throwing = {
    get message(): string {
      throw new Error('secret');
    },
    name: 'Error',
  };
  for (const cause of [
    Object.create(null),
    Object.assign(Object.create(null), { message: 'x' }),
    throwing,
    Symbol('x'),
  ]) {
    const { cause: shown } = new MoleculeError('It failed.', { code: 'invalid_argument', cause }).toJSON();
    expect(JSON.stringify(shown ?? '')).not.toContain('secret');
  }
});
