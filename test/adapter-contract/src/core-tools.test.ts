import { coreToolsDriver } from './core-tools-driver.ts';
import { defineAdapterContract } from './define-adapter-contract.ts';
import { HOSTILE_IDS } from './hostile-strings.ts';

// Core tries all of them itself.
defineAdapterContract(coreToolsDriver, { strings: HOSTILE_IDS.filter((_id, place) => place % 6 === 0) });
