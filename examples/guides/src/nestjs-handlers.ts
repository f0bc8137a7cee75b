// #region handlers
import type { AnswerContent, HandlerContext, InboundMessage, QuestionsAnswered } from '@molecule-ai/core';
import { messageForModel } from '@molecule-ai/core';
import {
  MessageContext,
  MessageParams,
  type MessagePeer,
  MessageText,
  OnAgentEvent,
  OnAnswer,
  OnMessage,
  OnPeerMessage,
  OnTask,
  OnUserMessage,
  Peer,
  Signal,
} from '@molecule-ai/nestjs';
import { Injectable, Logger } from '@nestjs/common';
import { from, type Observable } from 'rxjs';
import { z } from 'zod';

const LEAD = '6ad4d5f4-4b4c-4b0a-9d2a-0d5b9f6f3f11'; // the id of a workspace
const Count = z.object({ word: z.string().min(1), text: z.string() });

@Injectable()
export class Desk {
  private readonly logger = new Logger(Desk.name);

  /** Messages of this workspace only. */
  @OnPeerMessage({ from: LEAD })
  lead(@MessageText() text: string): string {
    return `As you wish: ${text}.`;
  }

  /** Messages of all other agents. Without parameter decorators: the message and its context. */
  @OnPeerMessage()
  async peer(message: InboundMessage, { once }: HandlerContext): Promise<string> {
    return once('answer', () => `You wrote ${messageForModel(message).length} characters for a model.`);
  }

  /** People on the canvas. The texts of an Observable or AsyncIterable are streamed. */
  @OnUserMessage()
  person(@MessageText() text: string, @Signal() signal: AbortSignal): Observable<string> {
    return from(text.split(/(?<= )/).filter(() => !signal.aborted));
  }

  /** Tasks in the form of the Python SDK. The schema is of Standard Schema; a pipe may stand there as well. */
  @OnTask('delegate_task')
  count(@MessageParams(Count) { word, text }: z.infer<typeof Count>, @Peer() peer: MessagePeer): string {
    return `${peer.source}: ${text.split(word).length - 1}`;
  }

  @OnAgentEvent('paused')
  paused(): void {
    this.logger.warn('An operator has paused this agent.');
  }
}
// #endregion handlers

// #region question
/** Asks the person on the canvas. What the method for the answers returns is the answer to the message. */
@Injectable()
export class Shop {
  @OnMessage()
  buy(@MessageText() what: string, @MessageContext() context: HandlerContext): AnswerContent {
    context.progress('waits for an approval');
    return { questions: [{ kind: 'approval', text: `Buy ${what}?`, from: 'user' }] };
  }

  @OnAnswer({ kind: 'question' })
  decided({ questions: [approval] }: QuestionsAnswered): string {
    return approval?.decision === 'approve' ? 'Bought.' : 'Then not.';
  }
}
// #endregion question
