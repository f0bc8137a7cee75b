import { behaviours } from './behaviour.ts';

const PAGE = 'docs/contract/langchain-tools.md';

/** The tools for peers in LangChain and LangGraph, and the middleware that brings them to an agent. */
export const LANGCHAIN_TOOLS = behaviours({
  'langchain.tools': [
    'createPeerTools gives tools whose calls return a ToolMessage: fenced content, the outcome as plain JSON in the artifact, and a status.',
    `${PAGE}#tools`,
  ],
  'langchain.tools.schemas': [
    'A model gets the JSON Schemas of the tools with their descriptions and limits.',
    `${PAGE}#tools`,
  ],
  'langchain.tools.failures': [
    'Failures and wrong arguments are messages with the status error and an artifact; no word of a peer or of the arguments leaves a fence.',
    `${PAGE}#tools`,
  ],
  'langchain.tools.once': [
    'A task of a graph that is repeated or resumed, also in a handler by an answer of the user, reaches the peer once; a call id that is used again in a later step is another message.',
    `${PAGE}#repeats`,
  ],
  'langchain.tools.progress': [
    'The answer of a peer is reported as custom events while it is made, to streamMode custom and to streamEvents.',
    `${PAGE}#progress`,
  ],
  'langchain.tools.waits': [
    'A call waits for timeoutMs, or nearly for the timeout of its config, also over a minute; the signal of the config cancels it.',
    `${PAGE}#waiting`,
  ],
  'langchain.tools.module-formats': [
    'The tools take a client of the other module format.',
    'docs/decisions/0039-types-cross-module-formats.md',
  ],
  'langchain.versions': [
    'The adapter compiles and runs with the oldest and the newest LangChain, with its core alone, and beside zod 3.25, 4.1 and newer; models get the same schemas.',
    `${PAGE}#versions`,
  ],
  'langchain.middleware': [
    'peersMiddleware gives an agent the tools, and each of its prompts the instruction for fenced texts once.',
    `${PAGE}#middleware`,
  ],
  'langchain.middleware.fence': [
    'Results of other tools that contain boundary markers or tags of a fence reach the model in a fence, with the same bytes each time.',
    `${PAGE}#middleware`,
  ],
  'langchain.middleware.answers': [
    'What an agent with the middleware says contains no boundary markers.',
    `${PAGE}#middleware`,
  ],
  'langchain.middleware.errors': [
    'Errors of other tools are handled by the framework as without the middleware.',
    `${PAGE}#middleware`,
  ],
});
