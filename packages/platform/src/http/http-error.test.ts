import { describe, expect, it } from 'vitest';
import { HttpError, toHttpError } from './http-error.ts';

describe('the response to a failure', () => {
  it('keeps an HttpError unchanged', () => {
    const error = new HttpError(404, 'workspace_not_found', 'workspace not found');
    expect(toHttpError(error)).toBe(error);
  });

  it('of the database is 503, so that clients retry', () => {
    const locked = new Error('database is locked');
    const answer = toHttpError(locked, {
      isUnavailable: (error) => error === locked,
      isDiskFull: () => false,
    });
    expect(answer).toMatchObject({ status: 503, code: 'platform_unavailable' });
  });

  it('of an unexpected error is 500 without details', () => {
    for (const error of [new Error('secret detail'), 'text', null]) {
      const answer = toHttpError(error);
      expect(answer).toMatchObject({ status: 500, code: 'internal_error' });
      expect(JSON.stringify(answer.toBody())).not.toContain('secret detail');
    }
  });
});
