import {
  readUIMessageStream,
  type ToolLoopAgent,
  type ToolSet,
  type UIMessage,
  validateUIMessages,
} from 'ai';

/** The messages of a page after its first turn; of one that is closed early, when each call has a preliminary result. */
export async function pageOf(
  agent: ToolLoopAgent<never, ToolSet>,
  text: string,
  isClosedEarly = false,
): Promise<UIMessage[]> {
  const closed = new AbortController();
  const messages = [{ role: 'user' as const, content: text }];
  const result = await agent.stream({ messages, abortSignal: closed.signal });
  const question = messageOf('user', text);
  let answer: UIMessage | undefined;
  const stream = result.toUIMessageStream({ originalMessages: [question], onError: String });
  for await (const message of readUIMessageStream({ stream })) {
    // What comes after the page was closed is read, and is nowhere.
    if (closed.signal.aborted) continue;
    answer = structuredClone(message);
    if (isClosedEarly && hasPreliminaryResults(message)) closed.abort();
  }
  if (answer === undefined) throw new Error('The page got nothing.');
  if (isClosedEarly && !hasPreliminaryResults(answer)) throw new Error('There were no preliminary results.');
  return [question, answer];
}

/** What is read back, with what the user says next. */
export async function storedPage(stored: string, text: string): Promise<UIMessage[]> {
  return validateUIMessages({ messages: [...JSON.parse(stored), messageOf('user', text)] });
}

/** A peer was asked by a tool whose results had other forms, and as a model whose text had no mark. Each chat has all of these words. */
export function olderChats(words: readonly string[]): readonly string[] {
  return OLDER_PARTS.map((partOf) => {
    const parts = words.map((each, place) => {
      const call = { toolCallId: `call_${place}`, input: { peer: 'lab', question: 'How are the tests?' } };
      return { type: 'tool-call_peer', ...call, ...partOf(each) };
    });
    const answer = { id: 'answer', role: 'assistant', parts: [{ type: 'step-start' }, ...parts] };
    return JSON.stringify([messageOf('user', 'Ask the lab.'), answer]);
  });
}

const OLDER_OUTPUTS: readonly ((words: string) => unknown)[] = [
  (words) => words,
  (words) => ({ text: words }),
  (words) => ({ forModel: words, data: { status: 'answered', text: words }, isError: false }),
  (words) => ({ forModel: words, data: { status: 'answered', text: words }, isError: true, check: '' }),
  (words) => ({ content: [{ type: 'text', text: words }] }),
  (words) => [words, { [words]: words }],
];

const OLDER_PARTS: readonly ((words: string) => object)[] = [
  ...OLDER_OUTPUTS.flatMap((outputOf) => [
    (words: string) => ({ state: 'output-available', output: outputOf(words) }),
    (words: string) => ({ state: 'output-available', preliminary: true, output: outputOf(words) }),
  ]),
  (words) => ({ state: 'output-error', errorText: `[A2A_RESULT_FROM_PEER]${words}` }),
];

function messageOf(role: UIMessage['role'], text: string): UIMessage {
  return { id: crypto.randomUUID(), role, parts: [{ type: 'text', text }] };
}

/** Nothing but preliminary results, and at least one. */
function hasPreliminaryResults({ parts }: UIMessage): boolean {
  const results = parts.filter((part) => part.type.startsWith('tool-'));
  return results.length > 0 && results.every((part) => Reflect.get(part, 'preliminary') === true);
}
