import type { HandlerAnswer } from '@molecule-ai/core';
import type { HostileText } from './hostile-strings.ts';
import type { Expected } from './prompt-check.ts';
import { calling, type RecordedPrompt, type ScriptedToolCall, saying, type Turn } from './scripted-model.ts';
import type { Stage, StageOptions } from './stage.ts';

/** A way by which words of others reach a model. */
export interface Way {
  readonly id: string;
  /** For the page of an adapter. */
  readonly about: string;
  readonly expected: (stage: Stage, text: HostileText) => Expected;
}

/** A way, or several that the same messages have. */
export interface Surface extends Way {
  /** The other ways. Each has texts of its own. @default none */
  readonly beside?: readonly Way[];
  /** Of a stage of its own, for what it changes for good as well. @default one that surfaces share */
  readonly stage?: Omit<StageOptions, 'driver'>;
  /** How many strings are brought at once, where a prompt has room for several. @default 1 */
  readonly batch?: number;
  /** Brings the words there: the texts of this way, and those beside it. What the model was sent is checked afterwards. */
  readonly bring: (
    stage: Stage,
    texts: readonly HostileText[],
    ...beside: readonly (readonly HostileText[])[]
  ) => Promise<void>;
}

/** So many calls of tools in one turn, or messages at once. */
export const BATCH = 34;
/** So many turns of a model in one run, or questions to a person: fewer than each framework allows. */
export const TURNS = 10;

/** Longer than the time for which tools collect progress. */
const BETWEEN_PIECES_MS = 300;

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
export function askWithTools(stage: Stage, toolCalls: readonly ScriptedToolCall[]): Promise<void> {
  return askWithTurns(stage, [() => ({ toolCalls })]);
}

/** The model calls the tools of one turn after the other in a handler, and then has done. */
export async function askWithTurns(stage: Stage, turns: readonly (() => Turn)[]): Promise<void> {
  const { model } = stage;
  const earlier = [...model.prompts];
  const left = [...turns, () => saying('Done.')];
  model.script(() => left.shift()?.() ?? saying('Called again.'));
  const { status, text } = await stage.ask('Use the tools.');
  if (status !== 'answered' || text !== 'Done.' || model.prompts.length !== turns.length + 1) {
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
  answerOf: (text: HostileText, place: number) => HandlerAnswer,
): Promise<void> {
  const { peer } = stage;
  peer.script(({ text: place }) => answerOf(textAt(texts, place), Number(place)));
  return askWithTools(stage, questionsTo(peer.id, texts));
}

export function questionsTo(peerId: string, texts: readonly HostileText[]): readonly ScriptedToolCall[] {
  return texts.map((_text, place) => {
    return { name: 'call_peer', args: { peer_id: peerId, text: String(place), new_conversation: true } };
  });
}

export function textAt(texts: readonly HostileText[], place: number | string): HostileText {
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

/** The prompts have the words of each text so often at least, wherever. */
export function requireTimes(
  count: number,
  prompts: readonly RecordedPrompt[],
  texts: readonly HostileText[],
): void {
  const all = JSON.stringify(prompts).toLowerCase();
  const missing = texts.filter(({ canary }) => all.split(canary).length <= count).map(({ id }) => id);
  if (missing.length > 0) throw new Error(`The prompts are without words of ${missing.join()}.`);
}

/** A text that a fence is put around where it is of unknown origin: it has a boundary marker or a tag of a fence, as a model may read it. */
export function isToBeFenced(text: string): boolean {
  const seen = text.replace(
    /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u{FFF9}-\u{FFFB}]/gu,
    '',
  );
  return /\[[\s\\]*\/?\s*a2a_result_from_peer\s*\]/i.test(text) || /<[\s\\/\uFFFD]*peer-text/i.test(seen);
}

/** The pieces of an answer, so far apart in time that none is joined with another on the way. */
export async function* inTurns(pieces: readonly string[], { platform }: Stage): AsyncGenerator<string> {
  for (const [place, piece] of pieces.entries()) {
    if (place > 0) await platform.clock.sleep(BETWEEN_PIECES_MS);
    yield piece;
  }
}
