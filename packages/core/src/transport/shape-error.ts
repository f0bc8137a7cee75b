import { ApiError } from '../errors/api-error.ts';
import type { PlatformRequest } from './platform-request.ts';

/** Makes the error of a 2xx answer whose body is not what the route promises. */
export function shapeError(
  request: Pick<PlatformRequest, 'method' | 'path'>,
  status: number,
  problem: string,
): ApiError {
  return new ApiError(
    `${request.method} ${request.path} answered ${status} with an unexpected shape: ${problem}.`,
    {
      code: 'unexpected_response',
      status,
      method: request.method,
      path: request.path,
      hint: 'Check that platformUrl is a Molecule platform and that its version is supported.',
    },
  );
}
