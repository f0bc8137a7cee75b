import type { JsonValue } from '@molecule-ai/protocol';
import { beginningOfOutcome, type CheckedOutcome, type PeerAnswerSoFar } from './checked-outcome.ts';
import { cutText } from './reply-outcome.ts';
import type { ToolCall } from './tool-definition.ts';

/** The next beginning has at least so many times the text of the last: all of them together are a few times the whole. */
const GROWTH = 1.25;

export interface OutcomeStreamOptions {
  readonly signal?: AbortSignal | undefined;
  readonly peerId: string;
  /** At most so many UTF-16 units of the answer in a beginning. */
  readonly maxModelChars: number;
}

/**
 * The beginnings of an answer while it is made, each with all of the text so far, and its outcome. The call is aborted when nobody reads
 * on.
 * @param run runs the tool with this signal and these reports
 */
export function streamOutcome<Data extends JsonValue>(
  run: (call: Pick<ToolCall, 'signal' | 'onProgress'>) => Promise<CheckedOutcome<Data>>,
  { signal, peerId, maxModelChars }: OutcomeStreamOptions,
): AsyncGenerator<CheckedOutcome<Data | PeerAnswerSoFar>> {
  const left = new AbortController();
  const outcomes = outcomesOf(run, left, { signal, peerId, maxModelChars });
  // A generator ends only where it yields, and the peer may be silent for long.
  const end = outcomes.return.bind(outcomes);
  outcomes.return = (value) => {
    left.abort();
    return end(value);
  };
  return outcomes;
}

async function* outcomesOf<Data extends JsonValue>(
  run: (call: Pick<ToolCall, 'signal' | 'onProgress'>) => Promise<CheckedOutcome<Data>>,
  left: AbortController,
  { signal, peerId, maxModelChars }: OutcomeStreamOptions,
): AsyncGenerator<CheckedOutcome<Data | PeerAnswerSoFar>> {
  let text = '';
  let due = 1;
  let isOver = false;
  let wake = (): void => {};
  const outcome = run({
    signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
    onProgress: (piece) => {
      text += piece;
      wake();
    },
  }).finally(() => {
    isOver = true;
    wake();
  });
  outcome.catch(() => {});
  left.signal.addEventListener('abort', () => wake(), { once: true });
  try {
    while (!isOver && !left.signal.aborted) {
      if (text.length >= due && due <= maxModelChars) {
        due = Math.ceil(text.length * GROWTH);
        yield beginningOfOutcome(peerId, cutText(text, maxModelChars));
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (!left.signal.aborted) yield await outcome;
  } finally {
    // An abort makes an error with its stack, which costs more than all else here.
    if (!isOver) left.abort();
  }
}
