import { behaviours } from './behaviour.ts';

/** Keys that are no options, in programs without types. */
export const OPTIONS = behaviours({
  'options.unknown-of-programs': [
    'An unknown option of a client, an agent, a loop, a delivery, a store or a server is an error that names the option that is meant.',
    'docs/contract/compatibility.md#unknown-options',
  ],
  'options.unknown-of-calls': [
    'An unknown option of a call is an error that names the option that is meant, and nothing is sent.',
    'docs/contract/compatibility.md#unknown-options',
  ],
  'options.unknown-of-adapters': [
    'An unknown option of an adapter is an error that names the option that is meant.',
    'docs/contract/compatibility.md#unknown-options',
  ],
  'options.unknown-of-platforms': [
    'An unknown option of a platform is reported with the option that is meant and with all other problems.',
    'docs/contract/compatibility.md#unknown-options',
  ],
  'options.unknown-of-answers': [
    'A key that an answer or a failure of a handler does not have is ignored with a warning that names the key that is meant; the rest is sent.',
    'docs/contract/compatibility.md#unknown-options; docs/decisions/0031-what-a-handler-returns.md',
  ],
  'options.of-tests': [
    'A test platform and a temporary state can be spread into the options of clients.',
    'docs/contract/compatibility.md#unknown-options',
  ],
});
