import { behaviours } from './behaviour.ts';

export const ADAPTERS = behaviours({
  'tools.definitions': [
    'peerTools gives tools for any model, each with a description, a strict JSON Schema and a function.',
    'docs/contract/tools.md#definitions; docs/decisions/0110-tools-for-models.md',
  ],
  'tools.list-peers': [
    'A model lists its peers with list_peers: their ids, states and what they say of themselves.',
    'docs/contract/tools.md#tools',
  ],
  'tools.call-peer': [
    'A model asks peers with call_peer and gets their answers, also many at once.',
    'docs/contract/tools.md#tools',
  ],
  'tools.conversation': [
    'call_peer keeps one conversation with a peer for each of its own, unless new_conversation begins another.',
    'docs/contract/tools.md#conversations',
  ],
  'tools.patience': [
    'A tool waits for an answer as long as its time limit says.',
    'docs/contract/tools.md#definitions',
  ],
  'tools.progress': [
    'onProgress gets an answer while it is made, at most every 250 ms.',
    'docs/contract/tools.md#progress',
  ],
  'tools.one-message-per-call': [
    'A tool call that a model, a framework or a new attempt repeats reaches the peer once.',
    'docs/contract/tools.md#repeats; docs/contract/langchain-tools.md#repeats',
  ],
  'tools.abort': [
    'Aborting a tool call or a run cancels its messages to peers.',
    'docs/contract/tools.md#ends-of-a-call; docs/contract/ai-sdk.md#waiting',
  ],
  'tools.ends': [
    'However a message ends or fails, the tool returns a result that tells the model what to do next.',
    'docs/contract/tools.md#ends-of-a-call',
  ],
  'tools.questions': [
    'A model answers the text questions of a peer, and is told that people decide approvals.',
    'docs/contract/tools.md#questions',
  ],
  'tools.tasks': [
    'A model delegates a task without waiting for it, checks it later and cancels it.',
    'docs/contract/tools.md#tools',
  ],
  'tools.own-workspace': [
    'A model learns who its agent is with get_workspace_info and writes to the user with send_message_to_user.',
    'docs/contract/tools.md#tools',
  ],
  'tools.marked-text': [
    'fenceMarkedText marks a text of another tool as untrusted where it contains marks of peers.',
    'docs/contract/tools.md#text-of-other-tools',
  ],
  'adapters.run-the-suite': [
    'Each adapter runs the same suite of the ways in which text of peers may reach a model.',
    'docs/decisions/0112-suite-for-adapters.md',
  ],
  'adapters.tools': [
    'createPeerTools gives the models of LangChain and the AI SDK the tools for peers.',
    'docs/contract/ai-sdk.md#tools; docs/contract/langchain-tools.md#tools',
  ],
  'adapters.tools-progress': [
    'LangChain and the AI SDK get the answer of a peer while it is made.',
    'docs/contract/ai-sdk.md#progress; docs/contract/langchain-tools.md#progress',
  ],
  'adapters.tool-failures': [
    'In LangChain and the AI SDK, failures and wrong arguments of tools reach the model as marked errors.',
    'docs/contract/langchain-tools.md#tools; docs/contract/ai-sdk.md#tools',
  ],
  'adapters.middleware': [
    'The LangChain and AI SDK middleware gives each prompt the instruction for text of peers once.',
    'docs/contract/ai-sdk.md#middleware; docs/contract/langchain-tools.md#middleware',
  ],
  'adapters.middleware-fence': [
    'The LangChain and AI SDK middleware marks text of peers in prompts as untrusted, and no other text.',
    'docs/contract/ai-sdk.md#what-is-fenced; docs/contract/langchain-tools.md#middleware',
  ],
  'adapters.no-markers-in-output': [
    'In LangChain and the AI SDK, the adapter removes boundary markers from what a model says.',
    'docs/contract/langchain-tools.md#middleware; docs/contract/ai-sdk.md#what-a-model-says',
  ],
  'adapters.handler-message': [
    'A LangChain or AI SDK handler gives a message to its model, text of peers marked as untrusted.',
    'docs/decisions/0111-langchain.md#messages; docs/decisions/0115-ai-sdk-handler.md#targets',
  ],
  'adapters.handler-streams': [
    'A LangChain or AI SDK handler streams the words of its model to senders that read a stream.',
    'docs/decisions/0111-langchain.md#streams; docs/decisions/0115-ai-sdk-handler.md#streams',
  ],
  'adapters.handler-options': [
    'The options of a LangChain or AI SDK handler decide its conversation, its answer and who approves.',
    'docs/decisions/0111-langchain.md#messages; docs/decisions/0115-ai-sdk-handler.md#options',
  ],
  'adapters.handler-redelivery': [
    'A message delivered again continues its LangChain or AI SDK run without repeating finished tools.',
    'docs/decisions/0111-langchain.md#redelivery; docs/decisions/0115-ai-sdk-handler.md#redelivery',
  ],
  'adapters.handler-own-run': [
    'Each message gets the answer of its own LangChain or AI SDK run.',
    'docs/decisions/0111-langchain.md#redelivery; docs/decisions/0115-ai-sdk-handler.md#redelivery',
  ],
  'adapters.handler-late-answers': [
    'A LangChain or AI SDK handler handles a late answer in the conversation that asked for it.',
    'docs/decisions/0111-langchain.md#messages; docs/decisions/0115-ai-sdk-handler.md#messages',
  ],
  'adapters.handler-abort': [
    'A LangChain or AI SDK run ends when the handling of its message does.',
    'docs/decisions/0111-langchain.md#errors; docs/decisions/0115-ai-sdk-handler.md#ends',
  ],
  'adapters.handler-failures': [
    'The sender of a message learns no words of an unexpected error of its LangChain or AI SDK run.',
    'docs/decisions/0111-langchain.md#errors; docs/decisions/0115-ai-sdk-handler.md#ends',
  ],
  'adapters.handler-approvals': [
    'In LangChain and the AI SDK, an action that needs approval becomes a question and runs only when approved.',
    'docs/decisions/0111-langchain.md#questions; docs/decisions/0115-ai-sdk-handler.md#approvals',
  ],
  'adapters.handler-approvals-not-forged': [
    'In LangChain and the AI SDK, only the answer to its question approves an action.',
    'docs/decisions/0111-langchain.md#questions; docs/decisions/0115-ai-sdk-handler.md#approvals',
  ],
  'adapters.handler-shown-whole': [
    'LangChain and AI SDK handlers refuse an action that cannot be shown whole to its approver.',
    'docs/decisions/0111-langchain.md#questions; docs/decisions/0115-ai-sdk-handler.md#approvals',
  ],
  'adapters.handler-lost-run': [
    'An answer for a lost LangChain or AI SDK run fails its message with thread_not_found or run_not_found.',
    'docs/decisions/0111-langchain.md#questions; docs/decisions/0115-ai-sdk-handler.md#approvals',
  ],
  'ai-sdk.versions': [
    'The AI SDK adapter and its samples work with the oldest and the newest AI SDK 6 and 7.',
    'docs/contract/ai-sdk.md#versions',
    'test:versions',
  ],
  'ai-sdk.tools-approval': [
    'needsApproval and toolApproval ask before the calls that they name.',
    'docs/contract/ai-sdk.md#approval',
  ],
  'ai-sdk.provider-asks': [
    'A peer can be used as a language model of the AI SDK, its text marked as untrusted.',
    'docs/decisions/0114-ai-sdk-provider.md#result; docs/decisions/0114-ai-sdk-provider.md#output',
  ],
  'ai-sdk.provider-conversation': [
    'A peer as a model continues the conversation of the options, the prompt or the handled message.',
    'docs/decisions/0114-ai-sdk-provider.md#conversation',
  ],
  'ai-sdk.provider-warnings': [
    'A peer as a model warns of what the peer does not get, such as history, tools and settings.',
    'docs/decisions/0114-ai-sdk-provider.md#prompt',
  ],
  'ai-sdk.provider-finish-reasons': [
    'A peer as a model finishes a question with the reason other and a cut text with length.',
    'docs/decisions/0114-ai-sdk-provider.md#questions; docs/decisions/0114-ai-sdk-provider.md#result',
  ],
  'ai-sdk.provider-ends': [
    'A call of a peer as a model that gets no answer is an APICallError with code and hint.',
    'docs/decisions/0114-ai-sdk-provider.md#errors',
  ],
  'ai-sdk.handler-ends': [
    'The end of an AI SDK run decides whether its message is answered, failed with a code or retried.',
    'docs/decisions/0115-ai-sdk-handler.md#ends',
  ],
  'ai-sdk.handler-history': [
    'An AI SDK handler bounds the history of a conversation, and leaves out whole exchanges, oldest first.',
    'docs/decisions/0115-ai-sdk-handler.md#conversations',
  ],
  'ai-sdk.handler-store': [
    'A store of conversations that fails or is unreadable is named to the agent and never overwritten.',
    'docs/decisions/0115-ai-sdk-handler.md#conversations',
  ],
  'adapters.conversations-name-their-receiver': [
    "Two agents that share a checkpointer or a store never read each other's conversations, also with the same sender and context.",
    'docs/decisions/0030-conversations.md#what-a-framework-stores',
  ],
  'adapters.skill-tools': [
    'A definition of a skill becomes a tool of a model: its arguments are the data, and nothing of the card of the peer is in it.',
    'docs/decisions/0055-structured-data.md#tools-of-models',
  ],
  'ai-sdk.chat': [
    'createChatRoute streams a run of an agent to a web page in the protocol of the AI SDK.',
    'docs/decisions/0116-ai-sdk-chat.md#a-request',
  ],
  'ai-sdk.chat-peers': [
    'A peer that an agent asks in a chat remembers that chat only and gets a repeated call once.',
    'docs/decisions/0116-ai-sdk-chat.md#peers',
  ],
  'ai-sdk.chat-requests': [
    'A wrong request to a chat route gets a 4xx response with a code before any agent runs.',
    'docs/decisions/0116-ai-sdk-chat.md#a-request',
  ],
  'ai-sdk.chat-parts': [
    'Only the known fields of the messages of a page reach the agent of a chat.',
    'docs/decisions/0116-ai-sdk-chat.md#a-request',
  ],
  'ai-sdk.chat-approvals': [
    'A chat makes a call that needs approval once, after the page approves it.',
    'docs/decisions/0116-ai-sdk-chat.md#approvals',
  ],
  'ai-sdk.chat-approvals-shared': [
    'With redeemApproval an approval is used once over all processes, and in production a route without it warns.',
    'docs/decisions/0116-ai-sdk-chat.md#approvals',
  ],
  'ai-sdk.chat-forged-approvals': [
    'A chat refuses an approval that it did not issue for exactly this call.',
    'docs/decisions/0116-ai-sdk-chat.md#approvals',
  ],
  'ai-sdk.chat-errors': [
    'An error in a chat reaches onError, and the page only as one general sentence.',
    'docs/decisions/0116-ai-sdk-chat.md#errors',
  ],
  'ai-sdk.chat-abort': [
    'A page that closes its connection ends the run of its chat and the messages to peers.',
    'docs/decisions/0116-ai-sdk-chat.md#errors',
  ],
  'ai-sdk.chat-released': [
    'A finished request of a chat route leaves nothing behind that listens to it.',
    'docs/decisions/0116-ai-sdk-chat.md#errors',
  ],
  'ai-sdk.stored-chats': [
    'A stored chat stays usable, with edited results marked as untrusted for the model.',
    'docs/contract/ai-sdk.md#stored-chats; docs/decisions/0116-ai-sdk-chat.md#history',
  ],
  'langchain.versions': [
    'The LangChain adapter works with the oldest and newest LangChain, and with its core alone.',
    'docs/contract/langchain-tools.md#versions',
    'test:versions',
  ],
  'langchain.runnable.asks': [
    'A peer can be used as a LangChain runnable in chains, graphs and batches, whole or streamed.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.runnable.ends': [
    'A peer as a runnable returns every end of its message as a value.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.history': [
    'A conversation of the feed can be read as a LangChain chat history, messages of others marked as untrusted.',
    'docs/decisions/0111-langchain.md#history',
  ],
  'langchain.handler.questions': [
    'Each interrupt that can be resumed becomes a question whose answer resumes it.',
    'docs/decisions/0111-langchain.md#questions',
  ],
});
