import type {
  InboundStore,
  MessageHandler,
  PeerClient,
  RemoteAgent,
  RemoteAgentClientOptions,
} from '@molecule-ai/core';
import type { PeerToolName } from '@molecule-ai/core/adapter-kit';
import type { ScriptedModel } from './scripted-model.ts';

/** A tool of the application, beside those of peers. */
export interface OwnTool {
  readonly name: string;
  /** Takes no arguments. @param answer to what it asks; `''` without a question */
  run(answer: string): Promise<string>;
  /** Whether a person has to approve each call, by the means of the framework. @default false */
  readonly needsApproval?: boolean;
  /** What the tool asks before it runs, by the means of the framework. @default nothing */
  readonly asks?: { readonly text: string; readonly from: 'user' | 'sender' };
}

/** An agent of the framework: a model, tools and a memory. */
export interface AgentSetup {
  readonly client: PeerClient;
  readonly model: ScriptedModel;
  /** What keeps the conversations of the agent, from `createMemory`. */
  readonly memory: unknown;
  /** @default all of them by default */
  readonly only?: readonly PeerToolName[];
  readonly timeoutMs?: number;
  readonly ownTools?: readonly OwnTool[];
  /** Gets the progress of tools. */
  readonly onProgress?: (text: string) => void;
}

/** Of one call of a tool, without a model. */
export interface ToolRun {
  readonly client: PeerClient;
  readonly name: PeerToolName;
  readonly args: unknown;
  readonly callId?: string;
  /** The run and the thread of the framework that the call belongs to. */
  readonly runId?: string;
  readonly threadId?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly onProgress?: (text: string) => void;
}

export interface ToolResult {
  /** What a model reads. */
  readonly text: string;
  readonly isError: boolean;
  /** What a program reads. */
  readonly data: unknown;
}

/** One question to a peer by the adapter's model, provider or runnable, whose output becomes a prompt. */
export interface ProviderRun {
  readonly client: PeerClient;
  readonly peerId: string;
  readonly text: string;
  /** Reads it piece by piece, where there are pieces. */
  readonly isStreamed: boolean;
  readonly model: ScriptedModel;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Whether the framework tries again what rejects. @default false */
  readonly isRetried?: boolean;
  /**
   * What of the output goes on to the model: the messages that the framework makes of it, or also, in a prompt of its own, its text in
   * a new message, fenced by the program where the framework has it unfenced. @default 'messages'
   */
  readonly passedOn?: 'messages' | 'both';
}

/** Two turns of a chat with a page, whose messages an application stores as JSON after the first one and reads again. */
export interface ChatRun {
  /** What the user says first and then. */
  readonly texts: readonly [first: string, then: string];
  readonly threadId: string;
  /** Whether the page is closed while a tool works, so that a preliminary result of it is stored. @default false */
  readonly isClosedEarly?: boolean;
  /** What is stored is changed in each of these ways, before it is read again. @default read as it is */
  readonly edits?: readonly StoredEdit[];
}

/** Changes a text of JSON. */
export type StoredEdit = (stored: string) => string;

/** Where an agent that the framework makes joins. Its tools work with the client of the setup. */
export interface StartOptions extends RemoteAgentClientOptions {
  readonly store: InboundStore;
}

export interface StartedAgent {
  readonly agent: RemoteAgent;
  /** Called when the agent has stopped. */
  close(): Promise<void>;
}

/** How the suite drives an adapter. All of it goes through the framework. */
export interface AdapterDriver {
  /** Of the package, such as `langchain`. */
  readonly name: string;
  /** Surfaces and scenarios that it does not have, each with the reason. */
  readonly without: Readonly<Record<string, string>>;
  createMemory(): unknown;
  /** A memory with the same content, after it was written as JSON, changed maybe, and read again. */
  restoreMemory(memory: unknown, edit?: StoredEdit): unknown;
  /** The handler of an agent. Without it the framework makes the agent: `startAgent`. */
  createHandler?(setup: AgentSetup): MessageHandler;
  /** Starts an agent that the framework makes. */
  startAgent?(setup: AgentSetup, options: StartOptions): Promise<StartedAgent>;
  /** One turn outside of a handler, as a chat application has it. Resolves with the last words of the model. */
  runAgent(
    setup: AgentSetup,
    text: string,
    run: { readonly threadId: string; readonly signal?: AbortSignal },
  ): Promise<string>;
  /** The next turn of such a conversation, whose messages an application has stored as JSON and read again. */
  runStored(
    setup: AgentSetup,
    text: string,
    run: { readonly threadId: string; readonly edit?: StoredEdit },
  ): Promise<void>;
  runTool(run: ToolRun): Promise<ToolResult>;
  /** Asks a peer once by the adapter's model, provider or runnable, and gives its output to the model. */
  askProvider?(run: ProviderRun): Promise<void>;
  /** The second turn is there for each of the edits, and as often as the framework has ways to make a prompt of what was stored. */
  chat?(setup: AgentSetup, run: ChatRun): Promise<void>;
  /** Chats as earlier versions of the adapter, the framework and applications stored them, in each of which all of these words are of a peer. */
  olderChats?(words: readonly string[]): readonly string[];
  /** Sends the model, through the middleware of the adapter, one prompt for each kind of part, with the text in that part. */
  promptParts?(run: { readonly model: ScriptedModel; readonly text: string }): Promise<void>;
  /** Sends the messages of one conversation, as the platform has them, to the model. */
  promptHistory?(run: {
    readonly client: PeerClient;
    readonly conversationId: string;
    readonly model: ScriptedModel;
  }): Promise<void>;
}
