import { behaviours } from './behaviour.ts';

/** The commands of the platform's bin. */
export const OPERATING = behaviours({
  'platform.command.workspace-create': [
    '`molecule-platform workspace create` prints the environment with which an agent comes online, and nothing else on stdout.',
    'docs/decisions/0123-commands-of-the-platform.md#workspaces',
  ],
  'platform.command.workspace-create-errors': [
    'A `molecule-platform workspace create` that fails writes two sentences, the cause and what to do, and no key: for the URL, the operator key, the organisation, the parent and the name.',
    'docs/decisions/0123-commands-of-the-platform.md#workspaces',
  ],
  'platform.restore-agents-continue': [
    'After a restore of an older backup running agents go on: each new message is handled once and acknowledged, cancellations reach their handlers, messages that were handled are not handled again, and a sender learns what became of a message that the backup does not have.',
    'docs/decisions/0123-commands-of-the-platform.md#restore',
  ],
});
