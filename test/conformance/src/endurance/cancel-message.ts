/** Cancels a message as any A2A client does: by `tasks/cancel`. Rejects while the platform does not have it. */
export async function cancelMessage(
  platformUrl: string,
  bearer: string,
  targetId: string,
  messageId: string,
): Promise<void> {
  const response = await fetch(`${platformUrl}/workspaces/${targetId}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id: messageId } }),
  });
  await response.text();
  if (!response.ok) throw new Error(`tasks/cancel: ${response.status}`);
}
