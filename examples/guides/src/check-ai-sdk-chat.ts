import assert from 'node:assert/strict';
import { PromptReader } from '@molecule-tests/harness';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { ToolLoopAgent, type UIMessage } from 'ai';
import { chatWith } from './ai-sdk-chat.ts';

/** A chat that a page sends to its route, twice. */
export async function checkAiSdkChat(): Promise<void> {
  const model = new ScriptedLanguageModel((messages) => `You said: ${new PromptReader(messages).question}`);
  let stored: readonly UIMessage[] = [];
  const saveChat = async (_id: string, chat: readonly UIMessage[]) => {
    stored = chat;
  };
  const post = chatWith(new ToolLoopAgent({ model }), { saveChat, insertKey: async () => true });
  for (const text of ['Good morning', 'And now?']) {
    const message = { id: crypto.randomUUID(), role: 'user', parts: [{ type: 'text', text }] };
    const body = JSON.stringify({ id: 'chat-1', messages: [...stored, message] });
    const headers = { 'content-type': 'application/json' };
    const response = await post(new Request('http://localhost/api/chat', { method: 'POST', headers, body }));
    assert.match(await response.text(), /"delta":"You "/);
  }
  assert.deepEqual(
    stored.map(({ role }) => role),
    ['user', 'assistant', 'user', 'assistant'],
  );
  assert.equal(model.prompts.at(-1)?.length, 3);
  console.log('✓ AI SDK: a page chats with an agent, and its chat is stored and goes on');
}
