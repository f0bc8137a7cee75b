/** LangChain and LangGraph for Molecule AI. A test pins this list of exports. */
export { StripBoundaryOutputParser } from './strip-boundary-output-parser.ts';
