import { defineAdapterContract } from './define-adapter-contract.ts';
import { nestjsDriver } from './nestjs-driver.ts';

defineAdapterContract(nestjsDriver);
