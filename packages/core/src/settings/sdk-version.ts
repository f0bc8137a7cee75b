/** The version of this package; a test holds it equal to package.json. */
export const SDK_VERSION = '0.0.0';

/** What every request says about its sender. */
export const USER_AGENT = `molecule-sdk-ts/${SDK_VERSION}`;
