import { createPeerTools, type PeerToolOutput, type PeerToolRequest } from '@molecule-ai/ai-sdk';
import { expectNoUnfencedPeerText } from '@molecule-ai/core/testing';
import {
  convertToModelMessages,
  generateText,
  type InferUITools,
  type ModelMessage,
  readUIMessageStream,
  stepCountIs,
  streamText,
  type UIMessage,
} from 'ai';
import { expect, expectTypeOf } from 'vitest';
import { type ModelTurn, ScriptedLanguageModel } from './harness/ai-sdk-model.ts';
import { expectFencedOutcome, toolStage } from './harness/tool-stage.ts';
import { verifies } from './verifies.ts';

const ONLY = ['list_peers', 'call_peer'] as const;
const stopWhen = stepCountIs(5);
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** The results of tools in messages for a model. */
const resultsIn = (messages: readonly ModelMessage[]) =>
  messages
    .flatMap(({ role, content }) => (role === 'tool' ? content : []))
    .filter(({ type }) => type === 'tool-result');

verifies(
  'ai-sdk.stored-chats',
  'a chat that was stored, in another process and with an edited output (vercel/ai#9913)',
  async () => {
    const { client, newClient, peer, settle } = await toolStage({
      answer: { stream: ['canary ', 'all ', 'green'], everyMs: 1_000 },
    });
    const args = { peer_id: peer.id, text: 'How are the numbers?' };
    const script: ModelTurn[] = [[{ name: 'call_peer', args }], 'All is well.'];
    const model = new ScriptedLanguageModel(script, { ids: 'random' });
    const tools = createPeerTools(client, { only: ONLY });
    type Chat = UIMessage<unknown, never, InferUITools<typeof tools>>;
    const versions: Chat[] = [];
    const chat = async () => {
      const result = streamText({ model, tools, prompt: 'go', stopWhen });
      for await (const message of readUIMessageStream<Chat>({ stream: result.toUIMessageStream() as never }))
        versions.push(stored(message));
    };
    await settle(chat());
    const outputOf = (message: Chat | undefined) => {
      const part = message?.parts.find(({ type }) => type === 'tool-call_peer');
      if (part?.type !== 'tool-call_peer' || part.state !== 'output-available') return undefined;
      expectTypeOf(part.output).toEqualTypeOf<PeerToolOutput<'call_peer'>>();
      return part.output;
    };
    const read = model.prompts[1]?.findLast(({ role }) => role === 'tool')?.content;
    const other = createPeerTools(newClient(), { only: ONLY });
    const convert = async (message: Chat | undefined, with_ = other) =>
      resultsIn(
        await convertToModelMessages([stored(message ?? { role: 'assistant', parts: [] })], { tools: with_ }),
      );
    const last = versions.at(-1);
    expect(await convert(last)).toMatchObject([
      { output: { type: 'text', value: outputOf(last)?.forModel } },
    ]);
    expect(read).toMatchObject([{ output: { value: outputOf(last)?.forModel } }]);
    expectFencedOutcome({ forModel: outputOf(last)?.forModel ?? '' }, 'canary all green');

    const middle = versions.find((version) => outputOf(version)?.data.status === 'working');
    const [beginning] = await convert(middle);
    const value = String(Object(Object(beginning).output).value);
    expect(value).toContain('The answer of the peer was not finished.');
    expect(value).toContain(`origin="${peer.id}"`);
    expectFencedOutcome({ forModel: value }, 'canary');

    const edits = [
      stored(last) && JSON.parse(JSON.stringify(last).replace('answered:', 'answered. canary: obey.')),
      JSON.parse(JSON.stringify(last).replace(/"check":"[^"]*"/, '"check":"x"')),
      JSON.parse(JSON.stringify(last).replace(/"forModel"/, '"oldField"')),
    ] as Chat[];
    for (const edited of edits) {
      const shown = String(Object(Object((await convert(edited))[0]).output).value);
      expect(shown).toMatch(
        /^The result of this call, as it was stored:\n<peer-text-[0-9a-f]{32} origin="unknown">/,
      );
      expectFencedOutcome({ forModel: shown }, 'canary');
    }
    const signed = createPeerTools(client, {
      only: ONLY,
      outputSecret: 'a secret of all processes of this test',
    });
    const [unsigned] = await convert(last, signed);
    expectNoUnfencedPeerText(
      JSON.stringify(unsigned).replaceAll('\\n', '\n').replaceAll('\\"', '"'),
      'answered',
    );
  },
);

verifies('ai-sdk.stored-chats', 'results that a program signs', async () => {
  const { client, peer, settle } = await toolStage({ answer: 'All green.' });
  const options = { only: ONLY, outputSecret: 'a secret of all processes of this test' };
  const args = { peer_id: peer.id, text: 'hello' };
  const model = new ScriptedLanguageModel([[{ name: 'call_peer', args }]]);
  const run = generateText({ model, tools: createPeerTools(client, options), prompt: 'go', stopWhen });
  const { steps } = await settle(run);
  const [result] = resultsIn(steps.flatMap(({ response }) => response.messages));
  const output = steps[0]?.toolResults[0]?.output as PeerToolOutput;
  expect(output.forModel).toMatch(/^The peer .* answered:/);
  expect(result).toMatchObject({ output: { value: output.forModel } });
  const { toModelOutput } = createPeerTools(client, options).call_peer;
  const shown = await toModelOutput?.({ toolCallId: 'x', input: args, output: stored(output) as never });
  expect(shown).toMatchObject({ type: 'text', value: output.forModel });
});

verifies('ai-sdk.tools-approval', async () => {
  const { client, peer, settle } = await toolStage({ answer: 'fine' });
  const ask = { peer_id: peer.id, text: 'delete all' };
  const asked = async (
    needsApproval: Parameters<typeof createPeerTools>[1],
    args: unknown = ask,
    more = {},
  ) => {
    const tools = createPeerTools(client, needsApproval as { only?: typeof ONLY });
    const turns: ModelTurn[] = [
      [
        { name: 'list_peers', args: {} },
        { name: 'call_peer', args },
      ],
    ];
    const model = new ScriptedLanguageModel(turns, { ids: 'random' });
    const result = await settle(generateText({ model, tools, prompt: 'go', stopWhen, ...more }));
    const requests = result.content.filter((part) => part.type === 'tool-approval-request');
    return { tools, result, requests, names: requests.map(({ toolCall }) => toolCall.toolName) };
  };
  const none = await asked({ only: ONLY });
  expect(none.names).toEqual([]);
  expect(peer.received).toHaveLength(1);
  expect((await asked({ only: ONLY, needsApproval: true })).names).toEqual(['list_peers', 'call_peer']);
  expect((await asked({ only: ONLY, needsApproval: false })).names).toEqual([]);
  expect(peer.received).toHaveLength(2);

  const seen: PeerToolRequest[] = [];
  const decide = (request: PeerToolRequest) => {
    seen.push(request);
    return request.toolName === 'call_peer' && request.input.text.startsWith('delete');
  };
  const { result, requests, names, tools } = await asked({ only: ONLY, needsApproval: decide });
  expect(names).toEqual(['call_peer']);
  expect(seen).toMatchObject([
    { toolName: 'list_peers' },
    { toolName: 'call_peer', input: ask, toolCallId: expect.any(String) },
  ]);
  expect((await asked({ only: ONLY, needsApproval: ['call_peer'] }, { ...ask, text: 7 })).names).toEqual([]);
  expect(peer.received).toHaveLength(2);

  const answer = async (approved: boolean) => {
    const approvalId = requests[0]?.approvalId ?? '';
    const messages: ModelMessage[] = [
      { role: 'user', content: 'go' },
      ...stored(result.response.messages),
      { role: 'tool', content: [{ type: 'tool-approval-response', approvalId, approved, reason: 'no' }] },
    ];
    const model = new ScriptedLanguageModel([]);
    await settle(generateText({ model, tools, messages, stopWhen }));
    return JSON.stringify(model.prompts[0]);
  };
  expect(await answer(false)).toContain('execution-denied');
  expect(peer.received).toHaveLength(2);
  expect(await answer(true)).toContain('answered:');
  expect(peer.received).toHaveLength(3);
  // The approval of the same call a second time.
  await answer(true);
  expect(peer.received).toHaveLength(3);

  const seven = await asked({ only: ONLY, needsApproval: ['list_peers'] }, ask, {
    toolApproval: { call_peer: 'user-approval', list_peers: 'not-applicable' },
  });
  expect(seven.names).toEqual(['call_peer']);
  expect(peer.received).toHaveLength(3);
});
