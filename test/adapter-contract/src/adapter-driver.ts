import type { MessageHandler, PeerClient } from '@molecule-ai/core';
import type { PeerToolName } from '@molecule-ai/core/tools';
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
}

/** How the suite drives an adapter. All of it goes through the framework. */
export interface AdapterDriver {
  /** Of the package, such as `langchain`. */
  readonly name: string;
  /** Surfaces and scenarios that it does not have, each with the reason. */
  readonly without: Readonly<Record<string, string>>;
  createMemory(): unknown;
  /** A memory with the same content, after it was written as JSON and read again. */
  restoreMemory(memory: unknown): unknown;
  /** The handler of an agent. */
  createHandler(setup: AgentSetup): MessageHandler;
  /** One turn outside of a handler, as a chat application has it. Resolves with the last words of the model. */
  runAgent(
    setup: AgentSetup,
    text: string,
    run: { readonly threadId: string; readonly signal?: AbortSignal },
  ): Promise<string>;
  /** The next turn of such a conversation, whose messages an application has stored as JSON and read again. */
  runStored(setup: AgentSetup, text: string, run: { readonly threadId: string }): Promise<void>;
  runTool(run: ToolRun): Promise<ToolResult>;
  /** Asks a peer by the adapter's model, provider or runnable, and gives its output to the model. */
  askProvider?(run: ProviderRun): Promise<void>;
  /** Sends the messages of one conversation, as the platform has them, to the model. */
  promptHistory?(run: {
    readonly client: PeerClient;
    readonly conversationId: string;
    readonly model: ScriptedModel;
  }): Promise<void>;
}
