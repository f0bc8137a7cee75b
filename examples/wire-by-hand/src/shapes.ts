// #region shapes
import { extractAnswerText, fencePeerText, HeartbeatRequest, stripA2aBoundary } from '@molecule-ai/protocol';
// #endregion shapes

/** A request as this project writes it. */
export function writeHeartbeat(id: string): HeartbeatRequest {
  // #region shapes
  const heartbeat = HeartbeatRequest.strict.parse({ workspace_id: id, active_tasks: 1 }); // what we write
  // #endregion shapes
  return heartbeat;
}

/** A request of any program of the family. */
export function readHeartbeat(received: unknown): HeartbeatRequest {
  // #region shapes
  const read = HeartbeatRequest.tolerant.parse(received); // what we read

  // #endregion shapes
  return read;
}

/** The text of a peer's response, for a person and for a model. */
export function forModel(
  peerId: string,
  body: Parameters<typeof extractAnswerText>[0],
): { answer: string; prompt: string } {
  // #region shapes
  const answer = stripA2aBoundary(extractAnswerText(body)); // for a person; still untrusted
  const prompt = fencePeerText(answer, { origin: peerId }); // for a model
  // #endregion shapes
  return { answer, prompt };
}
