import { ADAPTERS } from './behaviours/adapters.ts';
import { AGENT_ENDS } from './behaviours/agent-ends.ts';
import { AI_SDK_CHAT } from './behaviours/ai-sdk-chat.ts';
import { AI_SDK_HANDLER } from './behaviours/ai-sdk-handler.ts';
import { AI_SDK_PROVIDER } from './behaviours/ai-sdk-provider.ts';
import { AI_SDK_TOOLS } from './behaviours/ai-sdk-tools.ts';
import { AI_SDK_VERSIONS } from './behaviours/ai-sdk-versions.ts';
import { ANSWERS } from './behaviours/answers.ts';
import { CANCEL } from './behaviours/cancel.ts';
import { CLIENT } from './behaviours/client.ts';
import { CREDENTIALS } from './behaviours/credentials.ts';
import { DELIVERY } from './behaviours/delivery.ts';
import { DELIVERY_MODE } from './behaviours/delivery-mode.ts';
import { DIRECT } from './behaviours/direct.ts';
import { DOCUMENTS } from './behaviours/documents.ts';
import { DURABILITY } from './behaviours/durability.ts';
import { ENDS } from './behaviours/ends.ts';
import { ENDURANCE } from './behaviours/endurance.ts';
import { ERRORS } from './behaviours/errors.ts';
import { FEED } from './behaviours/feed.ts';
import { HISTORY } from './behaviours/history.ts';
import { HTTP_PROXIES } from './behaviours/http-proxies.ts';
import { INBOUND } from './behaviours/inbound.ts';
import { INSTANCES } from './behaviours/instances.ts';
import { INTEROP } from './behaviours/interop.ts';
import { JSON_RPC } from './behaviours/json-rpc.ts';
import { LANGCHAIN } from './behaviours/langchain.ts';
import { LANGCHAIN_TOOLS } from './behaviours/langchain-tools.ts';
import { LIFECYCLE } from './behaviours/lifecycle.ts';
import { LIMITS } from './behaviours/limits.ts';
import { LIVENESS } from './behaviours/liveness.ts';
import { LOOPS } from './behaviours/loops.ts';
import { MESSAGES } from './behaviours/messages.ts';
import { NESTJS_CONSUMERS } from './behaviours/nestjs-consumers.ts';
import { NESTJS_EDGES } from './behaviours/nestjs-edges.ts';
import { NESTJS_ENHANCERS } from './behaviours/nestjs-enhancers.ts';
import { NESTJS_LIFECYCLE } from './behaviours/nestjs-lifecycle.ts';
import { NESTJS_MESSAGES } from './behaviours/nestjs-messages.ts';
import { NESTJS_MODULES } from './behaviours/nestjs-modules.ts';
import { OPENAPI } from './behaviours/openapi.ts';
import { OPERATING } from './behaviours/operating.ts';
import { OPTIONS } from './behaviours/options.ts';
import { PACKED } from './behaviours/packed.ts';
import { PEER_TOKENS } from './behaviours/peer-tokens.ts';
import { PEERS } from './behaviours/peers.ts';
import { POLLING_CLIENTS } from './behaviours/polling-clients.ts';
import { PRESENCE } from './behaviours/presence.ts';
import { PROBE } from './behaviours/probe.ts';
import { PUSH } from './behaviours/push.ts';
import { QUESTIONS } from './behaviours/questions.ts';
import { REFERENCE } from './behaviours/reference.ts';
import { REGISTRATION } from './behaviours/registration.ts';
import { REQUESTS } from './behaviours/requests.ts';
import { SEEDS } from './behaviours/seeds.ts';
import { SNIPPETS } from './behaviours/snippets.ts';
import { STATE_CALLS } from './behaviours/state-calls.ts';
import { STREAM_READING } from './behaviours/stream-reading.ts';
import { STREAMS } from './behaviours/streams.ts';
import { STREAMS_OF_AGENTS } from './behaviours/streams-of-agents.ts';
import { TESTING } from './behaviours/testing.ts';
import { TOOLS } from './behaviours/tools.ts';
import { TRACING } from './behaviours/tracing.ts';
import { VALUES } from './behaviours/values.ts';

/** Every behaviour of the product that somebody can rely on, by id. */
export const BEHAVIOURS = {
  ...SEEDS,
  ...REGISTRATION,
  ...LIVENESS,
  ...LIFECYCLE,
  ...CREDENTIALS,
  ...PEERS,
  ...PEER_TOKENS,
  ...PROBE,
  ...STATE_CALLS,
  ...DELIVERY_MODE,
  ...REQUESTS,
  ...LIMITS,
  ...HISTORY,
  ...OPENAPI,
  ...OPTIONS,
  ...MESSAGES,
  ...NESTJS_ENHANCERS,
  ...NESTJS_EDGES,
  ...NESTJS_LIFECYCLE,
  ...NESTJS_MESSAGES,
  ...NESTJS_MODULES,
  ...NESTJS_CONSUMERS,
  ...TRACING,
  ...LOOPS,
  ...ANSWERS,
  ...ENDS,
  ...ERRORS,
  ...FEED,
  ...PUSH,
  ...DURABILITY,
  ...CLIENT,
  ...HTTP_PROXIES,
  ...PRESENCE,
  ...DELIVERY,
  ...INBOUND,
  ...INSTANCES,
  ...JSON_RPC,
  ...INTEROP,
  ...CANCEL,
  ...AGENT_ENDS,
  ...AI_SDK_PROVIDER,
  ...AI_SDK_VERSIONS,
  ...AI_SDK_CHAT,
  ...SNIPPETS,
  ...DOCUMENTS,
  ...OPERATING,
  ...VALUES,
  ...PACKED,
  ...QUESTIONS,
  ...ENDURANCE,
  ...REFERENCE,
  ...POLLING_CLIENTS,
  ...DIRECT,
  ...STREAMS,
  ...STREAM_READING,
  ...STREAMS_OF_AGENTS,
  ...TESTING,
  ...LANGCHAIN,
  ...TOOLS,
  ...LANGCHAIN_TOOLS,
  ...AI_SDK_TOOLS,
  ...AI_SDK_HANDLER,
  ...ADAPTERS,
};

export type BehaviourId = keyof typeof BEHAVIOURS;

export { LATER } from './behaviours/later.ts';
