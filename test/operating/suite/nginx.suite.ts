import { describeProxy } from './behind-a-proxy.ts';

describeProxy('nginx');
