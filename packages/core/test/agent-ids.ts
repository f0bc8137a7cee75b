/** Ids and credentials of tests. The token has the platform's format: 43 characters of base64url. */
export const SELF = '0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01';
export const PEER = '7c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f';
export const TOKEN = 'planted-Token_0123456789abcdefghijklmnopqrs';
export const NEWER_TOKEN = 'rotated-Token_9876543210zyxwvutsrqponmlkjih';
export const OTHER = '3f2e1d0c-9b8a-4765-8432-10fedcba9876';
