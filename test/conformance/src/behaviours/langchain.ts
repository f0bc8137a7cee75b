import { behaviours } from './behaviour.ts';

/** The adapter for LangChain and LangGraph. */
export const LANGCHAIN = behaviours({
  'langchain.handler.message': [
    'A message reaches an agent, graph, chain or model as a human message with its id, in the thread of its conversation; what another agent wrote is fenced, and the fence explained once.',
    'docs/decisions/0111-langchain.md#messages',
  ],
  'langchain.handler.streams': [
    'The words of the model are streamed to senders that read a stream, without markers of the boundary and tags of fences; all others get the last message as the answer.',
    'docs/decisions/0111-langchain.md#streams',
  ],
  'langchain.handler.redelivery': [
    'With a checkpointer, a message that is delivered again continues the run that it had begun: no message is doubled and no finished tool runs again.',
    'docs/decisions/0111-langchain.md#redelivery',
  ],
  'langchain.handler.own-run': [
    'A message whose run is tried again gets the answer of its own run, and keeps its thread until then: other messages of the thread are handled beside it.',
    'docs/decisions/0111-langchain.md#redelivery',
  ],
  'langchain.handler.shown-whole': [
    'An action that cannot be shown whole to the person who would approve it is refused, and its thread goes on.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.failures': [
    'Errors of a run end the message as failed without their words, and stay with the agent as cause; those that may pass are tried again.',
    'docs/decisions/0111-langchain.md#errors',
  ],
  'langchain.handler.abort': [
    'A run ends when the handling of its message does.',
    'docs/decisions/0111-langchain.md#errors',
  ],
  'langchain.handler.questions': [
    'Interrupts of a run become questions of its message, one each, and their answers resume that run by the id of each interrupt, also after a crash while it was resumed.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.reviews': [
    'The human-in-the-loop middleware asks one approval for each action, of the user, and gets the decisions; a graph that is compiled to wait asks as well.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.interrupt-values': [
    'An interrupt without words asks whether to continue; one that no answer could resume ends its message before anybody is asked, and the cause says what to change.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.thread-not-found': [
    'An answer to a question of a thread that the checkpointer has lost ends its message with the code thread_not_found and names the checkpointer to the agent.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.words-approve-nothing': [
    'Words of a peer approve no action, and do not end the run that waits for the user.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.checkpointer': [
    'An agent that is known to interrupt its runs is refused without a checkpointer.',
    'docs/decisions/0111-langchain.md#questions',
  ],
  'langchain.handler.late-answers': [
    'A late answer to a message that a tool sent is handled in the thread that sent it, one that the platform does not know to be an answer is not.',
    'docs/decisions/0111-langchain.md#messages',
  ],
  'langchain.options': [
    'Wrong options, clients, ids of peers and targets are refused where the tools, the runnable, the history or the handler is created, with what is possible.',
    'docs/decisions/0111-langchain.md#options',
  ],
  'langchain.runnable.asks': [
    'A peer is a runnable for chains, nodes of graphs and batches; what it gives is a message whose content is for a model.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.runnable.streams': [
    'A peer that is a runnable streams its answer as it comes, and the pieces are one fence.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.runnable.ends': [
    'Every end of a message to a peer that is a runnable is a value; errors are for peers that cannot be asked.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.runnable.once': [
    'A call that is repeated by LangChain, by LangGraph or by the handling of a message reaches the peer once.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.history': [
    'The feed of one conversation is a chat history: messages of others fenced, the same bytes each time, and the answers of the agent.',
    'docs/decisions/0111-langchain.md#history',
  ],
  'langchain.handler.options': [
    'The options of the handler decide the thread, the input, the answer, the config of each run, and who approves; a structured response is data.',
    'docs/decisions/0111-langchain.md#messages',
  ],
  'langchain.runnable.abort': [
    'An aborted run cancels the message to the peer, and the timeout of its config ends the wait before it aborts.',
    'docs/decisions/0111-langchain.md#peers-as-runnables',
  ],
  'langchain.parser': [
    'An output parser takes the markers that a model repeated out of strings, messages and streams.',
    'docs/decisions/0111-langchain.md#messages',
  ],
});
