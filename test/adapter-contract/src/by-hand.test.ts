import { byHandDriver } from './by-hand-driver.ts';
import { defineAdapterContract } from './define-adapter-contract.ts';
import { HOSTILE_IDS } from './hostile-strings.ts';

// The tools are those of core, which tries all strings itself.
defineAdapterContract(byHandDriver, { strings: HOSTILE_IDS.filter((_id, place) => place % 6 === 0) });
