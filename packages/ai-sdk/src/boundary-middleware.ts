import { fencePeerText, peerTextInstructions } from '@molecule-ai/core';
import { fenceForeignText, isPeerToolName, mapTexts } from '@molecule-ai/core/adapter-kit';
import type { LanguageModelMiddleware } from 'ai';
import { markerRemoval, withoutMarkers } from './generated-markers.ts';
import { isModelOutput, modelOutputOf } from './peer-tools.ts';
import { type CheckedOutcome, isCheckedOutcome } from './stored-outcome.ts';

/** A middleware for language models, of version 6 and of version 7. */
export type BoundaryMiddleware = LanguageModelMiddleware & { readonly specificationVersion: 'v3' };

type Transform = NonNullable<LanguageModelMiddleware['transformParams']>;
type Message = Parameters<Transform>[0]['params']['prompt'][number];
type Part = Exclude<Message['content'], string>[number];
type Output = Extract<Part, { type: 'tool-result' }>['output'];

/**
 * What a model needs that reads texts of other agents: the instruction how to read fences in its system prompt, a fence around texts of peers and
 * around whatever imitates a boundary, and no markers of the boundary in what it says. The same prompt gives the same bytes each time. It may be used
 * several times around one model.
 *
 * @example
 * const model = wrapLanguageModel({ model: openai('gpt-5'), middleware: boundaryMiddleware() });
 */
export function boundaryMiddleware(): BoundaryMiddleware {
  const middleware: LanguageModelMiddleware = {
    specificationVersion: 'v3',
    transformParams: async ({ params }) => ({
      ...params,
      prompt: withInstructions(params.prompt).map(fencedMessage),
    }),
    wrapGenerate: async ({ doGenerate }) => {
      const result = await doGenerate();
      return { ...result, content: withoutMarkers(result.content) };
    },
    wrapStream: async ({ doStream }) => {
      const result = await doStream();
      return { ...result, stream: result.stream.pipeThrough(markerRemoval()) };
    },
  };
  return middleware as BoundaryMiddleware;
}

/** In the last system message at the beginning: providers differ in how many they take. */
function withInstructions(prompt: readonly Message[]): Message[] {
  const isThere = prompt.some(
    ({ role, content }) => role === 'system' && content.includes(peerTextInstructions),
  );
  if (isThere) return [...prompt];
  const firstOther = prompt.findIndex(({ role }) => role !== 'system');
  const last = (firstOther === -1 ? prompt.length : firstOther) - 1;
  const system = prompt[last];
  if (system?.role !== 'system') return [{ role: 'system', content: peerTextInstructions }, ...prompt];
  const content =
    system.content === '' ? peerTextInstructions : `${system.content}\n\n${peerTextInstructions}`;
  return prompt.map((message, place) => (place === last ? { ...system, content } : message));
}

function fencedMessage(message: Message): Message {
  if (message.role === 'system') return message;
  const parts: readonly Part[] = message.content;
  const ofMessage = moleculeOf(message);
  const fenced = parts.map((part) => fencedPart(part, provenanceOf(ofMessage, moleculeOf(part))));
  return { ...message, content: joinedIfMarked(fenced) } as Message;
}

/** What this package says of a message or part in its options. */
interface Provenance {
  /** Words of a peer. */
  readonly untrusted?: unknown;
  readonly origin?: unknown;
}

function moleculeOf({
  providerOptions,
}: {
  readonly providerOptions?: Message['providerOptions'];
}): Provenance {
  const { molecule } = Object(providerOptions);
  return typeof molecule === 'object' && molecule !== null ? molecule : {};
}

/** The options of a part may come from a page, so they cannot take anything back. */
function provenanceOf(message: Provenance, part: Provenance): Provenance {
  return part.untrusted === true ? part : message;
}

function fencedPart(part: Part, provenance: Provenance): Part {
  switch (part.type) {
    case 'text':
      return { ...part, text: fencedText(part.text, provenance) };
    case 'reasoning':
      return { ...part, text: fencedText(part.text, provenance) };
    case 'tool-call':
      return { ...part, input: mapTexts(part.input, fenceForeignText) };
    case 'tool-result':
      return {
        ...part,
        output: isPeerToolName(part.toolName) ? ownOutput(part.output) : fencedOutput(part.output),
      };
    case 'tool-approval-response':
      return part.reason === undefined ? part : { ...part, reason: fenceForeignText(part.reason) };
    case 'file':
      return fencedFile(part);
    default:
      return part;
  }
}

/** A text of the application, the user or the model itself, of which the whole may be a peer's. */
function fencedText(text: string, { untrusted, origin }: Provenance): string {
  if (untrusted !== true) return fenceForeignText(text, { anyOrigin: true });
  return fencePeerText(text, { origin: typeof origin === 'string' ? origin : 'unknown' });
}

/** Of a tool for peers. What such a tool did not return so is edited or of an older version, and may have words of peers anywhere. */
function ownOutput(output: Output): Output {
  if (output.type === 'execution-denied') return fencedOutput(output);
  if (output.type !== 'text' && output.type !== 'error-text') return modelOutputOf(output.value);
  return isModelOutput(output) ? output : { ...modelOutputOf(output.value), type: output.type };
}

function fencedOutput(output: Output): Output {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return isModelOutput(output) ? output : { ...output, value: fenceForeignText(output.value) };
    case 'json':
    case 'error-json':
      return isCheckedOutcome(output.value)
        ? outcomeOfOther(output.value)
        : { ...output, value: mapTexts(output.value, fenceForeignText) };
    case 'content':
      return { ...output, value: fencedItems(output.value) };
    case 'execution-denied':
      return output.reason === undefined ? output : { ...output, reason: fenceForeignText(output.reason) };
  }
}

/**
 * What has the form of an outcome may be one of a tool for peers that has another name, or what a peer wrote itself: anybody can make its digest. So
 * its text is fenced as a whole, and its data, which repeat the text without a fence, are left out.
 */
function outcomeOfOther({ forModel, data, isError }: CheckedOutcome): Output {
  const { value } = modelOutputOf(forModel === '' ? JSON.stringify(data) : forModel);
  return { type: isError ? 'error-text' : 'text', value };
}

type Items = Extract<Output, { type: 'content' }>['value'];

function fencedItems(items: Items): Items {
  const fenced = items.map((item) =>
    item.type === 'text' ? { ...item, text: fenceForeignText(item.text) } : fencedFile(item),
  );
  return joinedIfMarked(fenced);
}

/** A marker in pieces: a model reads the texts of a message as one. */
function joinedIfMarked<Each extends { readonly type: string }>(fenced: readonly Each[]): Each[] {
  const joined = fenced.map(textIn).join('');
  const text = fenceForeignText(joined, { anyOrigin: true });
  if (text === joined) return [...fenced];
  const first = fenced.findIndex((each) => textIn(each) !== '');
  return fenced.flatMap((each, place) => {
    if (place === first) return [{ ...each, text }];
    return textIn(each) === '' ? [each] : [];
  });
}

function textIn(part: { readonly type: string }): string {
  return part.type === 'text' && 'text' in part && typeof part.text === 'string' ? part.text : '';
}

const TEXTUAL =
  /^\s*(?:(?:text|message)(?:\/|\s*(?:;|$))|[^;]*[/+.-](?:json|xml|ya?ml|toml|javascript|ecmascript|typescript|ndjson|jsonl|sql|rtf|csv|graphql)\s*(?:;|$))/i;

/** A file that a provider may send as text, in each form that it has in a prompt. */
function fencedFile<File extends { readonly type: string }>(file: File): File {
  const { data, mediaType, filename } = file as { data?: unknown; mediaType?: unknown; filename?: unknown };
  const isText = typeof mediaType === 'string' && TEXTUAL.test(mediaType);
  const named = typeof filename === 'string' ? { filename: fenceForeignText(filename) } : {};
  return { ...file, ...named, ...('data' in file ? { data: fencedData(data, isText) } : {}) };
}

function fencedData(data: unknown, isText: boolean): unknown {
  if (typeof data === 'object' && data !== null && 'type' in data) {
    if (data.type === 'text' && 'text' in data && typeof data.text === 'string')
      return { ...data, text: fenceForeignText(data.text) };
    return data.type === 'data' && 'data' in data ? { ...data, data: fencedData(data.data, isText) } : data;
  }
  if (!isText || !(typeof data === 'string' || data instanceof Uint8Array)) return data;
  const text = Buffer.from(data as string, 'base64').toString();
  const fenced = fenceForeignText(text);
  if (fenced === text) return data;
  return typeof data === 'string'
    ? Buffer.from(fenced).toString('base64')
    : new Uint8Array(Buffer.from(fenced));
}
