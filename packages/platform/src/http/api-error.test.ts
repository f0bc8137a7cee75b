import { describe, expect, it } from 'vitest';
import { ApiError, toApiError } from './api-error.ts';

describe('a failure as a response', () => {
  it('is what a room said it is', () => {
    const error = new ApiError(404, 'workspace_not_found', 'workspace not found');
    expect(toApiError(error)).toBe(error);
  });

  it('of the database is 503, so that clients retry', () => {
    const locked = new Error('database is locked');
    const answer = toApiError(locked, (error) => error === locked);
    expect(answer).toMatchObject({ status: 503, code: 'platform_unavailable' });
  });

  it('of our own making is 500 and says nothing about its inside', () => {
    for (const error of [new Error('secret detail'), 'text', null]) {
      const answer = toApiError(error);
      expect(answer).toMatchObject({ status: 500, code: 'internal_error' });
      expect(JSON.stringify(answer.toBody())).not.toContain('secret detail');
    }
  });
});
