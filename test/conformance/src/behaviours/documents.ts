import { behaviours } from './behaviour.ts';

/** The commands that the READMEs and pages of this repository print. */
export const DOCUMENTS = behaviours({
  'documents.sixty-seconds': [
    'The commands of the README turn an empty folder into a project, start a platform, create a workspace, run the agent and print its answer, on the oldest Node that the packages support and on Node 24; each prints what the README has under it.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.own-project': [
    'The commands of the README pack the packages in a clone and install the files in a project, which then works as one with published packages.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.platform-from-a-clone': [
    'The command of the README starts the platform of a clone with the options that are given to it; Ctrl-C ends it, and no error is printed.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.package-readmes': [
    'The first minute in the README of each package works in an empty folder, on the oldest Node that the packages support and on Node 24: the files that it names, the commands, and what it has under them.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.curl-calls': [
    'The calls of the page "With curl" register an agent, keep it online, and read, answer and acknowledge a message.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.curl-program': [
    'The shell script of the page "With curl" answers people and peers, each message once, and goes on after an answer that is refused.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.streaming-curl': [
    'The commands of the page "Streaming" read an answer while it is made, read it once more, and report the text of a polling agent.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.a2a-agent': [
    'The commands of the page "With an A2A SDK" register a server, and send heartbeats that keep it online.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.a2a-caller': [
    'The check of the page "With an A2A SDK" shows the server of an agent who calls, and refuses everybody but the platform.',
    'docs/contract/authentication.md#peer-tokens',
  ],
  'documents.handler-fields': [
    'The README of core lists every field of a message and of the context that a handler gets, and what they are for people and for peers.',
    'docs/decisions/0015-inbound-message.md',
  ],
  'documents.agent-events': [
    'The README of core lists every event of an agent, with its arguments.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.capabilities': [
    'The command of the README of core prints what a platform offers.',
    'docs/contract/compatibility.md#capabilities',
  ],
  'documents.first-agent': [
    'The commands of the page "A first agent" start a platform, make a project, run its program, and print the answers to a message that it gets at once and to one that waits for its next start.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.first-agent-errors': [
    'Each text of the table "When it does not work" is printed by the agent when the cause beside it is there, without the token.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.questions-curl': [
    'The commands of the page "Questions and approvals" list the open questions of an agent and approve one.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.operating': [
    'The commands of the page "Operating a platform" make its secrets, start it, create a workspace and a token, back it up while it runs, and restore the backup; the platform then has the workspaces and tokens of the backup.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.from-the-python-sdk': [
    'An agent of the page "Coming from the Python SDK" goes on with the token file and the position of an agent of that SDK: what that one has handled is not handled again.',
    'docs/contract/compatibility.md#python-sdk-readme',
  ],
});
