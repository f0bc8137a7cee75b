import { describe, expect, it } from 'vitest';
import { ConnectionError } from '../errors/connection-error.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { endsForGood, handlerErrorOf } from './agent-turns.ts';

const withFields = (fields: object, message = 'secret') => Object.assign(new Error(message), fields);

describe('handlerErrorOf', () => {
  const lost = new ConnectionError('gone', { origin: 'http://platform.test', delivered: 'unknown' });
  it.each([
    ['a defect', new TypeError('secret')],
    ['a rate limit', withFields({ status: 429 })],
    ['a refusal', withFields({ status: 401 })],
    ['an error of this package in a cause', withFields({ cause: lost })],
    ['what is not an error', 'secret'],
    ['nothing', undefined],
  ])('%s is what the handler throws, so that the message is tried again', (_name, error) => {
    expect(handlerErrorOf(error)).toBe(error);
  });

  it('finds the failure of the application and a circle, asks the adapter, and ends with causes in a circle', () => {
    const own = new MessageFailure('No such invoice.', { code: 'no_such_invoice' });
    expect(handlerErrorOf(withFields({ lastError: withFields({ cause: own }) }))).toBe(own);
    const circle = new MoleculeError('a circle', { code: 'loop_detected' });
    expect(handlerErrorOf(withFields({ cause: circle }))).toBe(circle);
    const known = new MessageFailure('Too many steps.', { code: 'too_many_steps' });
    const failureOf = (error: unknown) => (error instanceof RangeError ? known : undefined);
    expect(handlerErrorOf(withFields({ cause: new RangeError() }), { failureOf })).toBe(known);
    const circular: Error & { cause?: unknown } = new Error('secret');
    circular.cause = circular;
    expect(handlerErrorOf(circular, { failureOf })).toBe(circular);
  });
});

it('knows which failures no other attempt repeats', () => {
  const { signal } = new AbortController();
  const canceled = AbortSignal.abort(new MoleculeError('canceled', { code: 'cancelled_by_sender' }));
  expect(endsForGood(new MessageFailure('no'), signal)).toBe(true);
  expect(endsForGood(new Error('slow down'), signal)).toBe(false);
  expect(endsForGood(new Error('stopped'), canceled)).toBe(true);
});
