import { extractAnswerText, HeartbeatRequest, stripA2aBoundary } from '@molecule-ai/protocol';

/** A request as this project writes it. */
export function writeHeartbeat(id: string): HeartbeatRequest {
  const heartbeat = HeartbeatRequest.strict.parse({ workspace_id: id, active_tasks: 1 }); // what we write
  return heartbeat;
}

/** A request of any program of the family. */
export function readHeartbeat(received: unknown): HeartbeatRequest {
  const read = HeartbeatRequest.tolerant.parse(received); // what we read
  return read;
}

/** The text of a peer's response, for a person; still untrusted. */
export function readAnswer(body: Parameters<typeof extractAnswerText>[0]): string {
  return stripA2aBoundary(extractAnswerText(body));
}
