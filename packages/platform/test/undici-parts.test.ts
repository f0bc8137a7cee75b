import * as undici from 'undici';
import sendRequest from 'undici/lib/api/api-request.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { expect, it } from 'vitest';

// That a platform pushes without undici's root is shown by the tests that run it in a process of its own.
it('the files of undici that are imported alone hold what undici exports', () => {
  expect(Agent).toBe(undici.Agent);
  expect(errors).toBe(undici.errors);
  expect(sendRequest).toBe(undici.Dispatcher.prototype.request);
});
