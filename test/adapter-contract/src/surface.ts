import type { HandlerAnswer } from '@molecule-ai/core';
import type { HostileText } from './hostile-strings.ts';
import type { Expected } from './prompt-check.ts';
import { calling, type RecordedPrompt, type ScriptedToolCall, saying } from './scripted-model.ts';
import type { Stage, StageOptions } from './stage.ts';

/** A way by which words of others reach a model. */
export interface Surface {
  readonly id: string;
  /** For the page of an adapter. */
  readonly about: string;
  readonly stage?: Omit<StageOptions, 'driver'>;
  /** How many strings are brought at once, where a prompt has room for several. @default 1 */
  readonly batch?: number;
  /** Brings the words there. What the model was sent is checked afterwards. */
  readonly bring: (stage: Stage, texts: readonly HostileText[]) => Promise<void>;
  readonly expected: (stage: Stage, text: HostileText) => Expected;
}

/** So many calls of tools in one turn. */
export const BATCH = 10;

export const ofPeer = ({ peer }: Stage): Expected => ({ shown: 'yes', origin: peer.id });
export const shown = (): Expected => ({ shown: 'yes' });
export const nothing = (): Expected => ({ shown: 'no' });

/** For words of which so many characters are kept. */
export function within(length: number, expected: (stage: Stage) => Expected): Surface['expected'] {
  return (stage, { text, canary }) => {
    const isKept = text.trimStart().indexOf(canary) + canary.length < length;
    return isKept ? expected(stage) : { ...expected(stage), shown: 'maybe' };
  };
}

/** The model calls these tools in a handler, and then has done. */
export async function askWithTools(stage: Stage, toolCalls: readonly ScriptedToolCall[]): Promise<void> {
  const { model } = stage;
  const earlier = [...model.prompts];
  model.script({ toolCalls }, saying('Done.'));
  const { status, text } = await stage.ask('Use the tools.');
  if (status !== 'answered' || text !== 'Done.' || model.prompts.length !== 2) {
    throw new Error(
      `The run ended as ${status} ${JSON.stringify(text)} after ${model.prompts.length} prompts.`,
    );
  }
  model.prompts.unshift(...earlier);
}

export function askWithTool(stage: Stage, name: string, args: ScriptedToolCall['args'] = {}): Promise<void> {
  return askWithTools(stage, calling(name, args).toolCalls ?? []);
}

/** The model asks a peer as many questions as there are texts, and is answered with them. */
export function askPeer(
  stage: Stage,
  texts: readonly HostileText[],
  answerOf: (text: HostileText) => HandlerAnswer,
): Promise<void> {
  const { peer } = stage;
  peer.script(({ text: place }) => answerOf(textAt(texts, place)));
  return askWithTools(stage, questionsTo(peer.id, texts));
}

export function questionsTo(peerId: string, texts: readonly HostileText[]): readonly ScriptedToolCall[] {
  return texts.map((_text, place) => {
    return { name: 'call_peer', args: { peer_id: peerId, text: String(place), new_conversation: true } };
  });
}

export function textAt(texts: readonly HostileText[], place: string): HostileText {
  const text = texts[Number(place)];
  if (text === undefined) throw new Error(`There is no text ${place}.`);
  return text;
}

/** Each of the prompts has the words of each text, wherever. */
export function requireInEach(prompts: readonly RecordedPrompt[], texts: readonly HostileText[]): void {
  if (prompts.length === 0) throw new Error('The model was sent nothing.');
  for (const [place, prompt] of prompts.entries()) {
    const whole = JSON.stringify(prompt).toLowerCase();
    const missing = texts.filter(({ canary }) => !whole.includes(canary)).map(({ id }) => id);
    if (missing.length > 0) throw new Error(`The prompt ${place} is without the words of ${missing.join()}.`);
  }
}

/** A text that a fence is put around where it is of unknown origin. One whole fence without an origin is what fencing it would give, so it stays. */
export function isToBeFenced(text: string): boolean {
  return hasMarker(text) && !/^<peer-text-(\w{32}) origin="unknown">\n[^<]*\n<\/peer-text-\1>$/.test(text);
}

/** A boundary marker or a tag of a fence, as a model may read it. */
function hasMarker(text: string): boolean {
  const seen = text.replace(
    /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u{FFF9}-\u{FFFB}]/gu,
    '',
  );
  return /\[[\s\\]*\/?\s*a2a_result_from_peer\s*\]/i.test(text) || /<[\s\\/\uFFFD]*peer-text/i.test(seen);
}

/** Each piece by itself, so that none is joined with another on the way. */
export async function* inTurns(
  pieces: readonly string[],
  pause: () => Promise<unknown>,
): AsyncGenerator<string> {
  for (const [place, piece] of pieces.entries()) {
    if (place > 0) await pause();
    yield piece;
  }
}
