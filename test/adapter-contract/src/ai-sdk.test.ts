import { aiSdkDriver } from './ai-sdk-driver.ts';
import { defineAdapterContract } from './define-adapter-contract.ts';

defineAdapterContract(aiSdkDriver);
