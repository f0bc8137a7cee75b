import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const MAX_DEPTH = 500;
const MAX_USED = 10_000;
const VERSION = 'molecule-approval-1';
const STATE = Symbol.for('@molecule-ai/ai-sdk/chat-approvals');

/** What is approved: changed in any of it, it is another call. */
export interface ApprovalContent {
  readonly conversationId: string;
  /** The framework's id of the tool call. */
  readonly callId: string;
  readonly toolName: string;
  /** The arguments, as plain JSON of up to 500 levels. The order of keys does not count. */
  readonly input: unknown;
}

/** Approvals that pass through the hands of a client, which could make its own. */
export interface ApprovalSigner {
  /**
   * The id of an approval with a signature of what it is for, as a client gets that in JSON.
   * @throws RangeError when the input has more than 500 levels.
   */
  sign(approvalId: string, content: ApprovalContent): string;
  /** The id that was signed; `undefined` when exactly this content, as it was parsed from JSON, was not signed with it here. */
  verify(signed: string, content: ApprovalContent): string | undefined;
}

/**
 * @param secret the same for all processes that open each other's signatures, and after a restart
 * @default a random one of this process
 */
export function approvalSigner(secret?: string): ApprovalSigner {
  const key = secret ?? ofProcess().key;
  const signatureOf = (approvalId: string, { conversationId, callId, toolName, input }: ApprovalContent) =>
    createHmac('sha256', key)
      .update(JSON.stringify([VERSION, conversationId, approvalId, callId, toolName, canonical(input)]))
      .digest('base64url');
  return {
    sign(approvalId, content) {
      // As a client gets it.
      const json: string | undefined = JSON.stringify(content.input);
      const input: unknown = JSON.parse(json ?? 'null');
      if (!isWithin(MAX_DEPTH, input)) throw new RangeError(`An input has ${MAX_DEPTH} levels at most.`);
      return `${approvalId}.${signatureOf(approvalId, { ...content, input })}`;
    },
    verify(signed, content) {
      const at = signed.lastIndexOf('.');
      if (at === -1 || !isWithin(MAX_DEPTH, content.input)) return undefined;
      const approvalId = signed.slice(0, at);
      const given = Buffer.from(signed.slice(at + 1));
      const expected = Buffer.from(signatureOf(approvalId, content));
      return given.length === expected.length && timingSafeEqual(given, expected) ? approvalId : undefined;
    },
  };
}

/** Records that an approval is used; `false` when this process has recorded it before, among its latest 10 000. */
export function redeemInProcess(key: string): boolean {
  const { used } = ofProcess();
  if (used.has(key)) return false;
  used.add(key);
  const [oldest = ''] = used;
  if (used.size > MAX_USED) used.delete(oldest);
  return true;
}

interface ApprovalState {
  readonly key: Buffer;
  /** The keys of approvals that were used, the oldest first. */
  readonly used: Set<string>;
}

/** One for the process: an application may load this package both as ES module and as CommonJS. */
function ofProcess(): ApprovalState {
  const known: unknown = Reflect.get(globalThis, STATE);
  if (known !== undefined) return known as ApprovalState;
  const state: ApprovalState = { key: randomBytes(32), used: new Set() };
  Object.defineProperty(globalThis, STATE, { value: state });
  return state;
}

function isWithin(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isWithin(levels - 1, each));
}

/** JSON in which the order of keys does not count. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  // JSON.parse makes them of 1e999 and -0, and JSON.stringify null and 0.
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { number: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return { entries: entries.map(([key, each]) => [key, canonical(each)]) };
}
