import { describe, expect, it } from 'vitest';
import { ConnectionError } from '../errors/connection-error.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { endsForGood, handlerErrorOf } from './agent-turns.ts';

const withFields = (fields: object, message = 'secret') => Object.assign(new Error(message), fields);

describe('handlerErrorOf', () => {
  it.each([
    ['a rate limit', withFields({ status: 429 })],
    ['a server that fails', withFields({ statusCode: 503 })],
    ['a time limit', withFields({ name: 'TimeoutError' })],
    ['a broken connection', withFields({ code: 'ECONNRESET' })],
    ['one in a cause', withFields({ cause: withFields({ cause: withFields({ code: 'UND_ERR_SOCKET' }) }) })],
    ['the last of several attempts', withFields({ lastError: withFields({ status: 500 }) })],
  ])('%s may pass', (_name, error) => expect(handlerErrorOf(error)).toBe(error));

  it('gives errors of this package that may pass, and circles, as they are', () => {
    const lost = new ConnectionError('gone', { origin: 'http://platform.test', delivered: 'unknown' });
    expect(handlerErrorOf(withFields({ cause: lost }))).toBe(lost);
    const circle = new MoleculeError('a circle', { code: 'loop_detected' });
    expect(handlerErrorOf(withFields({ cause: circle }))).toBe(circle);
  });

  it.each([
    ['a defect', new TypeError('secret')],
    ['a refusal', withFields({ status: 401 })],
    ['what is not an error', 'secret'],
    ['nothing', undefined],
    ['an error of this package', new MoleculeError('secret', { code: 'access_denied' })],
  ])('%s ends the message without its words', (_name, error) => {
    const failure = handlerErrorOf(error);
    expect(MessageFailure.isInstance(failure)).toBe(true);
    expect(failure).toMatchObject({ code: 'handler_failed', message: expect.not.stringContaining('secret') });
    expect(Reflect.get(failure as object, 'cause')).toBe(error);
  });

  it('finds the failure of the application, asks the adapter, and ends with causes in a circle', () => {
    const own = new MessageFailure('No such invoice.', { code: 'no_such_invoice' });
    expect(handlerErrorOf(withFields({ cause: own }))).toBe(own);
    const known = new MessageFailure('Too many steps.', { code: 'too_many_steps' });
    const failureOf = (error: unknown) => (error instanceof RangeError ? known : undefined);
    expect(handlerErrorOf(withFields({ cause: new RangeError() }), { failureOf })).toBe(known);
    const passing = new SyntaxError();
    expect(handlerErrorOf(passing, { mayPass: (error) => error instanceof SyntaxError })).toBe(passing);
    const circular: Error & { cause?: unknown } = new Error('secret');
    circular.cause = circular;
    expect(handlerErrorOf(circular)).toMatchObject({ code: 'handler_failed' });
  });
});

it('knows which failures no other attempt repeats', () => {
  const { signal } = new AbortController();
  const canceled = AbortSignal.abort(new MoleculeError('canceled', { code: 'cancelled_by_sender' }));
  expect(endsForGood(new MessageFailure('no'), signal)).toBe(true);
  expect(endsForGood(new Error('slow down'), signal)).toBe(false);
  expect(endsForGood(new Error('stopped'), canceled)).toBe(true);
});
