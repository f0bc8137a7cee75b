import type { RemoteAgentClient } from '@molecule-ai/core';

// #region acknowledge
/** Once, while no agent runs: what is on the feed now counts as handled. */
export async function skipWhatIsThere(client: RemoteAgentClient): Promise<void> {
  const [newest] = await client.fetchInbound({ order: 'desc', limit: 1 });
  if (newest !== undefined) await client.acknowledge(newest.id);
}
// #endregion acknowledge
