/** The version in package.json; a test compares both. */
export const SDK_VERSION = '0.0.0';

/** The `User-Agent` header. */
export const USER_AGENT = `molecule-sdk-ts/${SDK_VERSION}`;
