// Compiled only: what an application sees of the types.
import {
  boundaryMiddleware,
  type ConversationStore,
  createAiSdkHandler,
  createMolecule,
  createPeerTools,
  MemoryConversationStore,
  type PeerToolOutput,
} from '@molecule-ai/ai-sdk';
import { createChatRoute } from '@molecule-ai/ai-sdk/chat';
import type { MessageHandler, PeerClient } from '@molecule-ai/core';
import {
  createProviderRegistry,
  customProvider,
  type InferUITools,
  type LanguageModel,
  type LanguageModelMiddleware,
  ToolLoopAgent,
  type ToolSet,
  type UIDataTypes,
  type UIMessage,
  wrapLanguageModel,
} from 'ai';
import { ScriptedModel } from './scripted-model.js';

type Same<One, Other> =
  (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;

declare const client: PeerClient;
const model = new ScriptedModel([]);

// Tools: all of them, and a choice.
const tools = createPeerTools(client);
const some: ToolSet = { ...tools };
const only = createPeerTools(client, { only: ['call_peer', 'list_peers'] });
export const names: Same<keyof typeof only, 'call_peer' | 'list_peers'> = true;
// @ts-expect-error: it was not chosen
void only.delegate_task;
// @ts-expect-error: there is no such tool
createPeerTools(client, { only: ['call_peers'] });
// @ts-expect-error: it is a number
createPeerTools(client, { timeoutMs: '1s' });
// @ts-expect-error: there is no such option
createPeerTools(client, { timeout: 1_000 });
// @ts-expect-error: it was not chosen
createPeerTools(client, { only: ['list_peers'], needsApproval: ['call_peer'] });
createPeerTools(client, {
  only: ['call_peer', 'list_peers'],
  needsApproval: (request) => request.toolName === 'call_peer' && request.input.peer_id !== '',
});

// Messages of a page, from the tools.
type Tools = InferUITools<typeof only>;
type Message = UIMessage<unknown, UIDataTypes, Tools>;
export const output: Same<Tools['call_peer']['output'], PeerToolOutput<'call_peer'>> = true;
const input: Tools['call_peer']['input'] = { peer_id: 'a', text: 'hello' };
// @ts-expect-error: a text is missing
const wrongInput: Tools['call_peer']['input'] = { peer_id: 'a' };
declare const message: Message;
for (const part of message.parts) {
  if (part.type === 'tool-call_peer' && part.state === 'output-available') {
    const { forModel, data, isError } = part.output;
    const shown: [string, boolean] = [forModel, isError];
    if (data.status === 'working' || data.status === 'answered') shown[0] = data.text;
    // @ts-expect-error: there is no such status
    if (data.status === 'answred') shown[0] = '';
  }
  // @ts-expect-error: there is no such tool
  if (part.type === 'tool-call_peers') void part;
}

// Peers as models.
const molecule = createMolecule({ client });
const peer: LanguageModel = molecule('id');
createProviderRegistry({ molecule }).languageModel('molecule:id');
customProvider({ languageModels: { lab: molecule('id') }, fallbackProvider: molecule });
// @ts-expect-error: the client is missing
createMolecule({});
// @ts-expect-error: it is a number
createMolecule({ client, timeoutMs: '1s' });
// @ts-expect-error: an id is a text
molecule(7);

// The middleware, an agent, its handler and its route.
const middleware: LanguageModelMiddleware = boundaryMiddleware();
const agent = new ToolLoopAgent({ model: wrapLanguageModel({ model, middleware }), tools });
const handlers: MessageHandler[] = [
  createAiSdkHandler(agent),
  createAiSdkHandler(
    { model: peer, tools: some, instructions: 'Be brief.' },
    { approvals: 'sender-when-user' },
  ),
];
// @ts-expect-error: neither an agent nor a model
createAiSdkHandler({ tools });
// @ts-expect-error: nobody else approves
createAiSdkHandler(agent, { approvals: 'sender' });
const route: (request: Request) => Promise<Response> = createChatRoute({ agent, onError: () => {} });
// @ts-expect-error: what goes wrong has to go somewhere
createChatRoute({ agent });
// @ts-expect-error: a model runs no tools
createChatRoute({ agent: model, onError: () => {} });

const store: ConversationStore = new MemoryConversationStore();
void store.save('conversation', [{ role: 'user', content: 'hello' }]);
// @ts-expect-error: messages are those of the AI SDK
void store.save('conversation', [{ role: 'human', content: 'hello' }]);

export { handlers, input, route, wrongInput };
