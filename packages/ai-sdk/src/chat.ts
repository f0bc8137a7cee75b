/** A chat route for web pages of the AI SDK. A test pins this list of exports. */

export { type ChatAgent, type ChatRouteOptions, createChatRoute, type FinishedChat } from './chat-route.ts';
