import { defineAdapterContract } from './define-adapter-contract.ts';
import { langchainDriver } from './langchain-driver.ts';

defineAdapterContract(langchainDriver);
