import { AsyncLocalStorage } from 'node:async_hooks';
import type { FrameworkHandler, HandlerContext } from '@molecule-ai/core';
import { tool } from 'langchain';
import * as z from 'zod';

const running = new AsyncLocalStorage<HandlerContext>();

/** The handler of an adapter, whose tools can read the context of the message that they work for. */
export function withContext(handle: FrameworkHandler): FrameworkHandler {
  return Object.assign(
    ((message, context) => running.run(context, () => handle(message, context))) as FrameworkHandler,
    {
      onAnswer: ((answer, context) =>
        running.run(context, () => handle.onAnswer(answer, context))) as FrameworkHandler['onAnswer'],
    },
  );
}

/** A tool of LangChain; `execute` of a tool of the AI SDK is the same function. */
export const payTool = (pay: (order: string) => Promise<string>) =>
  tool(
    async ({ order }) => {
      const context = running.getStore();
      // The key names the effect: after a crash the model may make the call again, with another call id.
      return context === undefined ? pay(order) : context.once(`pay ${order}`, () => pay(order));
    },
    { name: 'pay', description: 'Pays an order.', schema: z.object({ order: z.string() }) },
  );
