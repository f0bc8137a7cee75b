// #region client
import { RemoteAgentClient } from '@molecule-ai/core';

let client: RemoteAgentClient | undefined;

/** The client, made by the first request: `next build` loads this module without the variables of the agent. */
export function moleculeClient(): RemoteAgentClient {
  client ??= new RemoteAgentClient();
  return client;
}

// #endregion client

import { createPeerTools } from '@molecule-ai/ai-sdk';
// #region chat
import { createChatRoute } from '@molecule-ai/ai-sdk/chat';
import type { LanguageModel } from 'ai';
import { ToolLoopAgent } from 'ai';

/** Your sign-in: the id of the user, or `undefined`. */
type UserOf = (request: Request) => Promise<string | undefined>;
type Route = (request: Request) => Promise<Response>;

/** `app/api/chat/route.ts`: a chat for users that are signed in. */
export function chatForUsers(userOf: UserOf, model: LanguageModel): Route {
  let route: Route | undefined;
  return async (request) => {
    const user = await userOf(request);
    if (user === undefined) return Response.json({ error: 'Sign in first.' }, { status: 401 });
    route ??= createChatRoute({
      agent: new ToolLoopAgent({ model, tools: createPeerTools(moleculeClient()) }),
      // A chat belongs to its user, whatever id the page sends.
      chatId: async (id, each) => `${await userOf(each)}/${id}`,
      onError: (error, { chatId }) => console.error(`chat ${chatId}`, error),
    });
    return route(request);
  };
}

// #endregion chat

// #region own
import { boundaryMiddleware } from '@molecule-ai/ai-sdk';
import { convertToModelMessages, stepCountIs, streamText, type UIMessage, wrapLanguageModel } from 'ai';

/** A route of your own with `streamText`, whose model may ask peers. */
export async function ownRoute(request: Request, model: Exclude<LanguageModel, string>): Promise<Response> {
  const { messages } = (await request.json()) as { messages: UIMessage[] };
  const tools = createPeerTools(moleculeClient());
  const result = streamText({
    model: wrapLanguageModel({ model, middleware: boundaryMiddleware() }), // fences the words of peers
    messages: await convertToModelMessages(messages, { tools }), // with the tools: their outputs stay fenced
    tools,
    stopWhen: stepCountIs(10),
    abortSignal: request.signal,
  });
  return result.toUIMessageStreamResponse();
}
// #endregion own
