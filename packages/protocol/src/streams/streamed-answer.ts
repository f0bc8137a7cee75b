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
  readonly fields: JsonObject;
  readonly pieces: Piece[];
  /** What it counts, in characters. */
  size: number;
}

/** What a part that is no plain text, an artifact, or a key counts besides its JSON: an empty one uses memory too. */
const ITEM_SIZE = 100;

/** Of an artifact, besides its id and its parts. */
const FIELDS = ['name', 'description', 'metadata', 'extensions'] as const;

/**
 * Collects the events of a stream, of A2A 0.3 or 1.0, into the response that would have come without a stream. Texts of an
 * artifact that follow each other become one; the texts of several are joined by a newline, as `extractAnswerText` does.
 */
export class StreamedAnswer {
  readonly #maxSize: number;
  readonly #artifacts = new Map<string, Artifact>();
  #task: JsonObject = {};
  /** That of the task, to which status updates add. `null` for none. */
  #metadata: Map<string, JsonValue> | null = null;
  /** The size of what is kept, always by the same measure, and of replacements. */
  #size = 0;
  /** Of {@link #size}: replacements, and the texts that were joined for them. */
  #joined = 0;
  #hasText = false;
  #response: JsonObject | undefined;

  /** @param maxSize Largest answer, in characters: of its text and of the JSON of all else, with 100 for each item. */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** The JSON-RPC response, once the stream has ended: a message, a task, or an error. */
  get response(): JsonObject | undefined {
    return this.#response;
  }

  /** The size of what is kept, about, in characters as for `maxSize`. */
  get size(): number {
    return this.#size;
  }

  /** Takes the data of one event. Skips what is not an event of A2A. Never throws. */
  add(body: JsonValue | undefined): StreamStep {
    if (this.#response !== undefined) return ENDED;
    const event = readStreamEvent(body);
    const id = objectOf(body).id ?? null;
    switch (event.kind) {
      case 'unknown':
        return { kind: 'text', text: '' };
      case 'response':
        if (!this.#takes(sizeOf(body))) return TOO_LARGE;
        this.#response = body as JsonObject;
        return ENDED;
      case 'artifact':
        return this.#name(event) ? this.#update(event.artifact, event.isAppended) : TOO_LARGE;
      case 'task': {
        const hadText = this.#hasText;
        const text = this.#replaceTask(event.task);
        if (text === undefined) return TOO_LARGE;
        if (isAtRest(objectOf(this.#task.status))) return this.#end(id);
        return { kind: hadText ? 'restarted' : 'text', text };
      }
      case 'status': {
        const { status, metadata, isLast } = event;
        if (!this.#name(event) || !this.#takesStatus(status, objectOf(metadata))) return TOO_LARGE;
        return isLast ? this.#end(id) : { kind: 'text', text: '' };
      }
    }
  }

  /** An agent that sends no task names it in its updates. */
  #name({ taskId, contextId }: { readonly taskId: string; readonly contextId: string }): boolean {
    if (taskId === '' || textOf(this.#task.id) !== '') return true;
    this.#task.id = taskId;
    if (contextId !== '') this.#task.contextId ??= contextId;
    return this.#takes(taskId.length + contextId.length);
  }

  /** Returns the text of the task; undefined when it is too large. */
  #replaceTask({ artifacts, metadata, ...task }: JsonObject): string | undefined {
    this.#task = task;
    this.#metadata = isJsonObject(metadata) ? new Map(Object.entries(metadata)) : null;
    this.#artifacts.clear();
    this.#hasText = false;
    this.#joined += ITEM_SIZE;
    this.#size = this.#joined + sizeOf(task);
    for (const [key, value] of this.#metadata ?? []) this.#size += entrySize(key, value);
    let text = '';
    for (const artifact of Array.isArray(artifacts) ? artifacts : []) {
      if (isJsonObject(artifact)) text += this.#add(artifact, false);
    }
    return this.#takes(0) ? text : undefined;
  }

  /** Changes in place, and counts by how much the task grows: status updates may be many, and each of them is short. */
  #takesStatus(status: JsonObject, metadata: JsonObject): boolean {
    let grown = sizeOf(status) - sizeOf(this.#task.status);
    this.#task.status = status;
    for (const [key, value] of Object.entries(metadata)) {
      this.#metadata ??= new Map();
      const known = this.#metadata.get(key);
      grown += entrySize(key, value) - (known === undefined ? 0 : entrySize(key, known));
      this.#metadata.set(key, value);
    }
    return this.#takes(grown);
  }

  #update(artifact: JsonObject, isAppended: boolean): StreamStep {
    const known = this.#artifacts.get(textOf(artifact.artifactId));
    const isGrowing = isAppended && known !== undefined;
    const replacesText = !isGrowing && known?.pieces.some((piece) => textOfPiece(piece) !== null) === true;
    const added = this.#add(artifact, isGrowing);
    if (!this.#takes(0)) return TOO_LARGE;
    if (!replacesText) return { kind: 'text', text: added };
    const { text, work } = this.#text();
    this.#joined += work;
    return this.#takes(work) ? { kind: 'restarted', text } : TOO_LARGE;
  }

  /** Adds the parts to an artifact, or puts them in the place of its parts. Returns the text by which the whole grows. */
  #add(given: JsonObject, isGrowing: boolean): string {
    const artifactId = textOf(given.artifactId);
    const known = this.#artifacts.get(artifactId);
    const isKept = isGrowing && known !== undefined;
    const artifact: Artifact = isKept
      ? known
      : { fields: { artifactId }, pieces: [], size: ITEM_SIZE + artifactId.length };
    this.#artifacts.set(artifactId, artifact);
    this.#size -= isKept ? artifact.size : (known?.size ?? 0);
    for (const field of FIELDS) {
      const value = given[field];
      if (value === undefined || value === null) continue;
      artifact.size += sizeOf(value) - sizeOf(artifact.fields[field]);
      artifact.fields[field] = value;
    }
    const parts = Array.isArray(given.parts) ? given.parts : [];
    const text = parts.map((part) => this.#addPart(artifact, part)).join('');
    this.#size += artifact.size;
    return text;
  }

  #addPart(artifact: Artifact, part: JsonValue): string {
    const { pieces } = artifact;
    const text = textOfPart(part);
    const isPlain = text !== null && isPlainText(part);
    const last = pieces.at(-1);
    if (isPlain && last instanceof GrowingText) {
      last.append(text);
      artifact.size += text.length;
      return text;
    }
    pieces.push(isPlain ? growing(text) : part);
    artifact.size += ITEM_SIZE + (isPlain ? text.length : sizeOf(part));
    if (text === null) return '';
    const separator = this.#hasText ? '\n' : '';
    this.#hasText = true;
    return separator + text;
  }

  /** The text of all artifacts so far, and what it costs to join it: small replacements may be many. */
  #text(): { readonly text: string; readonly work: number } {
    const pieces = [...this.#artifacts.values()].flatMap((artifact) => artifact.pieces);
    const text = pieces
      .map(textOfPiece)
      .filter((piece) => piece !== null)
      .join('\n');
    return { text, work: text.length + pieces.length + this.#artifacts.size };
  }

  #takes(size: number): boolean {
    this.#size += size;
    return this.#size <= this.#maxSize;
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
    // An attempt that was given up made the text; a later one has said nothing.
    if (isAnswer && this.#metadata?.get('state') === 'unanswered') return task;
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

function entrySize(key: string, value: JsonValue): number {
  return ITEM_SIZE + key.length + sizeOf(value);
}

/** The length of its JSON, about; never that of the event, which may write the same value shorter. */
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

function textOfPiece(piece: Piece): string | null {
  return piece instanceof GrowingText ? piece.toString() : textOfPart(piece);
}

const TEXT_KEYS: ReadonlySet<string> = new Set(['kind', 'type', 'text']);

/** Whether a part is a text and nothing more. */
function isPlainText(part: JsonValue): boolean {
  return textOfPart(part) !== null && Object.keys(objectOf(part)).every((key) => TEXT_KEYS.has(key));
}
