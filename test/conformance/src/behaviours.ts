import { ADAPTERS } from './behaviours/adapters.ts';
import { AGENTS } from './behaviours/agents.ts';
import { ANSWERS } from './behaviours/answers.ts';
import { CLIENT } from './behaviours/client.ts';
import { CREDENTIALS } from './behaviours/credentials.ts';
import { DIRECT } from './behaviours/direct.ts';
import { DOCUMENTS } from './behaviours/documents.ts';
import { ENDS } from './behaviours/ends.ts';
import { FEED } from './behaviours/feed.ts';
import { JSON_RPC } from './behaviours/json-rpc.ts';
import { LOOPS } from './behaviours/loops.ts';
import { MESSAGES } from './behaviours/messages.ts';
import { NESTJS } from './behaviours/nestjs.ts';
import { PEERS } from './behaviours/peers.ts';
import { PUSH } from './behaviours/push.ts';
import { QUESTIONS } from './behaviours/questions.ts';
import { REQUESTS } from './behaviours/requests.ts';
import { STREAMS } from './behaviours/streams.ts';
import { TESTING } from './behaviours/testing.ts';
import { TRACING } from './behaviours/tracing.ts';
import { TRUST } from './behaviours/trust.ts';
import { WORKSPACES } from './behaviours/workspaces.ts';

/** Every behaviour of the product that somebody can rely on, by id, in the sections of the page that `pnpm docs:behaviours` writes. */
export const SECTIONS = {
  'Workspaces: registration, presence, life cycle': WORKSPACES,
  'Credentials and access': CREDENTIALS,
  'Peers, cards and capabilities': PEERS,
  'Requests and limits': REQUESTS,
  'Messages and conversations': MESSAGES,
  Answers: ANSWERS,
  Push: PUSH,
  'The feed': FEED,
  'Agents: receiving and handling messages': AGENTS,
  'Ends and cancellation': ENDS,
  Questions: QUESTIONS,
  Loops: LOOPS,
  'The client': CLIENT,
  'Direct calls': DIRECT,
  Streams: STREAMS,
  'The trust boundary': TRUST,
  Tracing: TRACING,
  'JSON-RPC, A2A and other platforms': JSON_RPC,
  'Tools and adapters': ADAPTERS,
  NestJS: NESTJS,
  Testing: TESTING,
  'Documents and packages': DOCUMENTS,
};

export const BEHAVIOURS = {
  ...WORKSPACES,
  ...CREDENTIALS,
  ...PEERS,
  ...REQUESTS,
  ...MESSAGES,
  ...ANSWERS,
  ...PUSH,
  ...FEED,
  ...AGENTS,
  ...ENDS,
  ...QUESTIONS,
  ...LOOPS,
  ...CLIENT,
  ...DIRECT,
  ...STREAMS,
  ...TRUST,
  ...TRACING,
  ...JSON_RPC,
  ...ADAPTERS,
  ...NESTJS,
  ...TESTING,
  ...DOCUMENTS,
};

export type BehaviourId = keyof typeof BEHAVIOURS;

export { LATER } from './behaviours/later.ts';
