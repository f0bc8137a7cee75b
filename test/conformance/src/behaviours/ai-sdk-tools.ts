import { behaviours } from './behaviour.ts';

const PAGE = 'docs/contract/ai-sdk.md';

/** The tools for peers in the AI SDK, and the middleware of its language models. */
export const AI_SDK_TOOLS = behaviours({
  'ai-sdk.tools': [
    'createPeerTools gives a record of tools for generateText, streamText and agents: fenced text for the model, plain JSON with the outcome for the program.',
    `${PAGE}#tools`,
  ],
  'ai-sdk.tools-schemas': [
    'A model of the AI SDK gets the JSON Schemas of the tools with their descriptions and limits.',
    `${PAGE}#tools`,
  ],
  'ai-sdk.tools-failures': [
    'Failures and wrong arguments are results for the model, marked as errors; no word of a peer or of the arguments leaves a fence.',
    `${PAGE}#tools`,
  ],
  'ai-sdk.tools-options': [
    'Wrong options and a wrong client throw invalid_argument, which names the option.',
    `${PAGE}#tools`,
  ],
  'ai-sdk.tools-abort': [
    'The signal of a run, also aborted twice, and its time limits end a call with their reason and cancel its message.',
    `${PAGE}#waiting`,
  ],
  'ai-sdk.tools-once': [
    'A repeated call reaches the peer once: in each attempt of a handled message, where call ids are others, and outside of handlers with the same call id and messages; other calls are messages of their own.',
    `${PAGE}#repeats`,
  ],
  'ai-sdk.tools-progress': [
    'The answer of a peer is given as preliminary results while it is made, all of which together are a few times the answer.',
    `${PAGE}#progress`,
  ],
  'ai-sdk.tools-history': [
    'A chat that was stored and read back gives the model the same bytes; an output that was edited, is of another shape or only a beginning of an answer reaches it in a fence.',
    `${PAGE}#stored-chats`,
  ],
  'ai-sdk.tools-approval': [
    'needsApproval asks before the calls that it names, and toolApproval of version 7 before those that it names.',
    `${PAGE}#approval`,
  ],
  'ai-sdk.middleware': [
    'boundaryMiddleware gives each prompt the instruction for fenced texts once, and the same prompt the same bytes.',
    `${PAGE}#middleware`,
  ],
  'ai-sdk.middleware-fence': [
    'Boundary markers and tags of a fence in a prompt, wherever they are, reach the model in a fence; exact fences stay.',
    `${PAGE}#what-is-fenced`,
  ],
  'ai-sdk.middleware-peers': [
    'A text that a peer wrote reaches the next model in a fence with its origin, when its options mark it and when the bare text is passed on.',
    `${PAGE}#what-is-fenced`,
  ],
  'ai-sdk.middleware-results': [
    'Results of tools for peers reach the model byte for byte, also where the chat was converted without the tools under their own names; those of other tools are fenced where they are marked, and as a whole where they have the form of an outcome.',
    `${PAGE}#what-is-fenced`,
  ],
  'ai-sdk.middleware-generated': [
    'What a model says contains no boundary markers, at whichever places its stream is cut, and nothing else is lost; calls of tools stay as they are.',
    `${PAGE}#what-a-model-says`,
  ],
});
