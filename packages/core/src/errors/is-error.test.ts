import { readFile } from 'node:fs/promises';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { errnoOf } from '../storage/private-file.ts';
import { isError } from './is-error.ts';
import { MoleculeError } from './molecule-error.ts';

it('knows errors of every realm, and nothing else', () => {
  class Own extends Error {}
  const foreign: unknown = runInNewContext('Object.assign(new TypeError("no"), { code: "ENOENT" })');
  expect(foreign).not.toBeInstanceOf(Error);
  const errors = [
    new Error('x'),
    new Own('x'),
    new DOMException('x'),
    new MoleculeError('x', { code: 'timed_out' }),
  ];
  for (const error of [...errors, foreign]) expect(isError(error)).toBe(true);
  for (const other of [undefined, null, 'Error', { name: 'Error', message: 'x' }, () => {}])
    expect(isError(other)).toBe(false);
  expect(errnoOf(foreign)).toBe('ENOENT');
});

it('knows those of the file system', async () => {
  const missing = await readFile('/no/such/file').catch((error: unknown) => error);
  expect([isError(missing), errnoOf(missing)]).toEqual([true, 'ENOENT']);
});
