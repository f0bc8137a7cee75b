import {
  isJsonObject,
  type JsonObject,
  type MessageView,
  type QuestionAnswer,
  viewMessage,
} from '@molecule-ai/protocol';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { MessageRow } from '../message.store.ts';

/** What became of the answers that a message carries in `metadata.answers`. */
export type CarriedAnswers =
  /** None is the answer to a question that its sender may answer. */
  | { readonly kind: 'foreign' }
  /** They are recorded, and the message has no other purpose. */
  | { readonly kind: 'recorded' }
  /** The message delivers these answers to the agent, and continues the message that the questions were about. */
  | {
      readonly kind: 'complete';
      readonly continues: MessageRow;
      readonly answers: readonly QuestionAnswer[];
    };

/** Records the answers that a message carries, in the transaction in which it is accepted. */
export type AnswerRecorder = (
  unit: UnitOfWork,
  message: { readonly callerId: string | null; readonly targetId: string; readonly view: MessageView },
) => Promise<CarriedAnswers>;

/** The message with these answers in its metadata, or without any; what its sender wrote there is removed. */
export function withAnswers(view: MessageView, answers?: readonly QuestionAnswer[]): MessageView {
  const { envelope } = view;
  const params = isJsonObject(envelope.params) ? withoutAnswers(envelope.params) : envelope.params;
  const holder = isJsonObject(params) && isJsonObject(params.message) ? params.message : undefined;
  const message = holder && withoutAnswers(holder);
  const metadata = isJsonObject(message?.metadata) ? message.metadata : {};
  const added = answers === undefined ? undefined : answers.map((answer) => ({ ...answer }) as JsonObject);
  return viewMessage({
    ...envelope,
    ...(params === undefined ? {} : { params }),
    ...(message === undefined || !isJsonObject(params)
      ? {}
      : {
          params: {
            ...params,
            message:
              added === undefined ? message : { ...message, metadata: { ...metadata, answers: added } },
          },
        }),
  });
}

function withoutAnswers(holder: JsonObject): JsonObject {
  const { metadata } = holder;
  if (!isJsonObject(metadata) || !Object.hasOwn(metadata, 'answers')) return holder;
  const { answers: _answers, ...others } = metadata;
  return { ...holder, metadata: others };
}
