import { describe, expect, it } from 'vitest';
import { ApiError } from './api-error.ts';
import { toApiError } from './error-answer.ts';

const sqliteError = (errcode: number) =>
  Object.assign(new Error('sqlite'), { code: 'ERR_SQLITE_ERROR', errcode });

describe('a failure as an answer', () => {
  it('is what a room said it is', () => {
    const error = new ApiError(404, 'workspace_not_found', 'workspace not found');
    expect(toApiError(error)).toBe(error);
  });

  it('of the database is 503, so that it is tried again (wire contract 9, ✗28)', () => {
    const closed = new Error('driver has already been destroyed');
    for (const error of [sqliteError(5), sqliteError(13), sqliteError(1), closed]) {
      expect(toApiError(error)).toMatchObject({ status: 503, code: 'platform_unavailable' });
    }
  });

  it('of our own making is 500 and says nothing about its inside', () => {
    for (const error of [new Error('secret detail'), sqliteError(19), sqliteError(2067), 'text', null]) {
      const answer = toApiError(error);
      expect(answer).toMatchObject({ status: 500, code: 'internal_error' });
      expect(JSON.stringify(answer.toBody())).not.toContain('secret detail');
    }
  });
});
