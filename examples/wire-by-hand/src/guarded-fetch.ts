// #region fetch
import {
  type AddressPolicy,
  AddressRefusedError,
  checkUrl,
  createGuardedAgent,
} from '@molecule-ai/net-guard';
import { request } from 'undici';

/** Requests a URL that somebody else gave. */
export async function fetchFrom(url: string, policy: AddressPolicy): Promise<number> {
  const check = checkUrl(url, policy); // policy: { allowedNetworks: ['10.20.0.0/16'] }
  if (!check.ok) throw new Error(check.message);
  const dispatcher = createGuardedAgent({ policy });
  try {
    const { statusCode, body } = await request(check.url, { dispatcher });
    await body.dump();
    return statusCode;
  } catch (error) {
    if (AddressRefusedError.isInstance(error)) console.error(error.message, error.hint);
    throw error;
  } finally {
    await dispatcher.close();
  }
}
// #endregion fetch
