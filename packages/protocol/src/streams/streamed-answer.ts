import { textPart } from '../message.ts';
import { messageStateOfTask } from '../message-ends.ts';
import { isJsonObject, type JsonObject, type JsonValue, objectOf, textOf } from '../open-json.ts';
import { GrowingText } from './growing-text.ts';
import { ANSWER_EXTENSION, isAtRest, readStreamEvent } from './stream-events.ts';

/** What one event did to the text of the answer. */
export type StreamStep =
  /** The text has grown by this at its end; `''` when it has not. */
  | { readonly kind: 'text'; readonly text: string }
  /** A part of the text was replaced: it is this now. */
  | { readonly kind: 'restarted'; readonly text: string }
  /** The stream has ended: see `response`. */
  | { readonly kind: 'ended' }
  /** The answer is longer than allowed. Read nothing more. */
  | { readonly kind: 'too-large' };

const ENDED: StreamStep = { kind: 'ended' };
const TOO_LARGE: StreamStep = { kind: 'too-large' };

/** Parts of one artifact, in order: text that may still grow, or any other part. */
type Piece = GrowingText | JsonValue;

interface Artifact {
  fields: JsonObject;
  readonly pieces: Piece[];
}

/** Of an artifact, besides its id and its parts. */
const FIELDS = ['name', 'description', 'metadata', 'extensions'] as const;

/**
 * Collects the events of a stream, of A2A 0.3 or 1.0, into the response that would have come without a stream. Texts of an
 * artifact that follow each other become one; the texts of several are joined by a newline, as `extractAnswerText` does.
 */
export class StreamedAnswer {
  readonly #maxLength: number;
  readonly #artifacts = new Map<string, Artifact>();
  #task: JsonObject = {};
  /** That of the task, to which status updates add. `null` for none. */
  #metadata: Map<string, JsonValue> | null = null;
  #length = 0;
  #hasText = false;
  #response: JsonObject | undefined;

  /** @param maxLength Longest answer, in characters: of its text and of the JSON of all else. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** The JSON-RPC response, once the stream has ended: a message, a task, or an error. */
  get response(): JsonObject | undefined {
    return this.#response;
  }

  /** Takes the data of one event, and its length in characters. Skips what is not an event of A2A. Never throws. */
  add(body: JsonValue | undefined, length: number): StreamStep {
    if (this.#response !== undefined) return ENDED;
    const event = readStreamEvent(body);
    const id = objectOf(body).id ?? null;
    switch (event.kind) {
      case 'unknown':
        return { kind: 'text', text: '' };
      case 'response':
        if (!this.#takes(length)) return TOO_LARGE;
        this.#response = body as JsonObject;
        return ENDED;
      case 'artifact':
        return this.#update(event.artifact, event.isAppended, length);
      case 'task': {
        if (!this.#takes(length)) return TOO_LARGE;
        const { artifacts, metadata, ...task } = event.task;
        const hadText = this.#hasText;
        this.#task = task;
        this.#metadata = isJsonObject(metadata) ? new Map(Object.entries(metadata)) : null;
        this.#artifacts.clear();
        this.#hasText = false;
        let text = '';
        for (const artifact of Array.isArray(artifacts) ? artifacts : []) {
          if (isJsonObject(artifact)) text += this.#add(artifact, false);
        }
        if (isAtRest(objectOf(task.status))) return this.#end(id);
        return { kind: hadText ? 'restarted' : 'text', text };
      }
      case 'status': {
        const { status, metadata, isLast } = event;
        if (!this.#takesStatus(status, objectOf(metadata))) return TOO_LARGE;
        return isLast ? this.#end(id) : { kind: 'text', text: '' };
      }
    }
  }

  /** Changes in place, and counts by how much the task grows: status updates may be many, and each of them is short. */
  #takesStatus(status: JsonObject, metadata: JsonObject): boolean {
    let grown = sizeOf(status) - sizeOf(this.#task.status);
    this.#task.status = status;
    for (const [key, value] of Object.entries(metadata)) {
      this.#metadata ??= new Map();
      const known = this.#metadata.get(key);
      grown += sizeOf(value) - (known === undefined ? -key.length : sizeOf(known));
      this.#metadata.set(key, value);
    }
    return this.#takes(grown);
  }

  #update(artifact: JsonObject, isAppended: boolean, length: number): StreamStep {
    const known = this.#artifacts.get(textOf(artifact.artifactId));
    const isGrowing = isAppended && known !== undefined;
    const parts = Array.isArray(artifact.parts) ? artifact.parts : [];
    // A text of one character comes in hundreds of them: what is not kept does not count.
    const isTextOnly = isGrowing && parts.every(isPlainText);
    const grown = isTextOnly ? lengthOf(parts) + growthOf(known.fields, artifact) : length;
    if (!this.#takes(grown)) return TOO_LARGE;
    const replacesText = !isGrowing && known !== undefined && known.pieces.length > 0;
    const added = this.#add(artifact, isGrowing);
    if (!replacesText) return { kind: 'text', text: added };
    const text = this.#text();
    // Joining it takes time, however short the replacement is.
    return this.#takes(text.length) ? { kind: 'restarted', text } : TOO_LARGE;
  }

  /** Adds the parts to an artifact, or puts them in the place of its parts. Returns the text by which the whole grows. */
  #add(given: JsonObject, isGrowing: boolean): string {
    const artifactId = textOf(given.artifactId);
    const known = this.#artifacts.get(artifactId);
    const artifact = isGrowing && known !== undefined ? known : { fields: { artifactId }, pieces: [] };
    this.#artifacts.set(artifactId, artifact);
    for (const field of FIELDS) {
      const value = given[field];
      if (value !== undefined && value !== null) artifact.fields[field] = value;
    }
    const parts = Array.isArray(given.parts) ? given.parts : [];
    return parts.map((part) => this.#addPart(artifact.pieces, part)).join('');
  }

  #addPart(pieces: Piece[], part: JsonValue): string {
    const text = textOfPart(part);
    const last = pieces.at(-1);
    if (text !== null && isPlainText(part) && last instanceof GrowingText) {
      last.append(text);
      return text;
    }
    pieces.push(isPlainText(part) ? growing(text ?? '') : part);
    if (text === null) return '';
    const separator = this.#hasText ? '\n' : '';
    this.#hasText = true;
    return separator + text;
  }

  /** The text of all artifacts so far. */
  #text(): string {
    const pieces = [...this.#artifacts.values()].flatMap((artifact) => artifact.pieces);
    const texts = pieces.map((piece) =>
      piece instanceof GrowingText ? piece.toString() : textOfPart(piece),
    );
    return texts.filter((text) => text !== null).join('\n');
  }

  #takes(length: number): boolean {
    this.#length += length;
    return this.#length <= this.#maxLength;
  }

  #end(id: JsonValue): StreamStep {
    this.#response = { jsonrpc: '2.0', id, result: this.#result() };
    return ENDED;
  }

  #result(): JsonObject {
    const metadataOfTask = this.#metadata === null ? {} : { metadata: Object.fromEntries(this.#metadata) };
    const task = { kind: 'task', ...this.#task, ...metadataOfTask };
    const [artifact, ...others] = [...this.#artifacts.values()].map(toArtifact);
    if (artifact === undefined) return task;
    const { artifactId, parts, metadata, extensions } = artifact;
    const isAnswer = Array.isArray(extensions) && extensions.includes(ANSWER_EXTENSION);
    if (!isAnswer || others.length > 0) return { ...task, artifacts: [artifact, ...others] };
    const status = objectOf(this.#task.status);
    const { contextId } = this.#task;
    const message: JsonObject = {
      kind: 'message',
      role: 'agent',
      messageId: textOf(artifactId),
      ...(textOf(contextId) === '' ? {} : { contextId: textOf(contextId) }),
      parts: parts ?? [],
      ...(metadata === undefined ? {} : { metadata }),
    };
    const state = messageStateOfTask({ status });
    if (state === 'answered') return message;
    if (state === 'input_required' && status.message === undefined) {
      return { ...task, status: { ...status, message } };
    }
    return task;
  }
}

function toArtifact({ fields, pieces }: Artifact): JsonObject {
  const parts = pieces.map((piece) => (piece instanceof GrowingText ? textPart(piece.toString()) : piece));
  return { ...fields, parts };
}

function growing(text: string): GrowingText {
  const run = new GrowingText();
  run.append(text);
  return run;
}

function lengthOf(parts: readonly JsonValue[]): number {
  return parts.reduce<number>((sum, part) => sum + (textOfPart(part)?.length ?? 0), 0);
}

/** By how many characters the fields of an artifact grow. */
function growthOf(fields: JsonObject, given: JsonObject): number {
  return FIELDS.reduce((sum, field) => {
    const value = given[field];
    return value === undefined || value === null ? sum : sum + sizeOf(value) - sizeOf(fields[field]);
  }, 0);
}

/** The length of its JSON, about. */
function sizeOf(value: JsonValue | undefined): number {
  if (value === undefined) return 0;
  return typeof value === 'string' ? value.length : JSON.stringify(value).length;
}

/** The text of a part; `null` for any other part. */
function textOfPart(part: JsonValue): string | null {
  const { kind, type, text } = objectOf(part);
  const isText = typeof text === 'string' && (textOf(kind) || textOf(type) || 'text') === 'text';
  return isText ? text : null;
}

const TEXT_KEYS: ReadonlySet<string> = new Set(['kind', 'type', 'text']);

/** Whether a part is a text and nothing more. */
function isPlainText(part: JsonValue): boolean {
  return textOfPart(part) !== null && Object.keys(objectOf(part)).every((key) => TEXT_KEYS.has(key));
}
