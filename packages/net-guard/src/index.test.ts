import { expect, it } from 'vitest';
import * as netGuard from './index.ts';

it('exports exactly these names', () => {
  expect(Object.keys(netGuard).sort()).toEqual([
    'AddressRefusedError',
    'REFUSAL_REASONS',
    'checkAddress',
    'checkUrl',
    'createAddressGuard',
    'createGuardedAgent',
    'resolvePolicy',
  ]);
});
