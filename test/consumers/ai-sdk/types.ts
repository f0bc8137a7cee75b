// Compiled only.
import { type ConversationStore, MemoryConversationStore } from '@molecule-ai/ai-sdk';

const store: ConversationStore = new MemoryConversationStore();
void store.save('conversation', [{ role: 'user', content: 'hello' }]);
// @ts-expect-error: messages are those of the AI SDK
void store.save('conversation', [{ role: 'human', content: 'hello' }]);
