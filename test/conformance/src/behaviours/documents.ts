import { behaviours } from './behaviour.ts';

/** The commands that the READMEs and pages of this repository print. */
export const DOCUMENTS = behaviours({
  'documents.sixty-seconds': [
    'The commands of the README create a workspace, run the agent, and print the answer to a message that had to wait for it.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.own-project': [
    'An empty folder becomes a project with an agent by the commands of the README: the packed packages, npm, `node agent.ts`.',
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
    'The commands of the page "Operating a platform" make its secrets, start it, create a workspace and a token, and copy its database while it runs; a platform that starts with the copy has the same workspaces and tokens.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'documents.from-the-python-sdk': [
    'An agent of the page "Coming from the Python SDK" goes on with the token file and the position of an agent of that SDK: what that one has handled is not handled again.',
    'docs/contract/compatibility.md#python-sdk-readme',
  ],
});
