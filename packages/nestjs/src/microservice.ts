/** Molecule AI as a transporter of `@nestjs/microservices`. A test pins this list of exports. */
export {
  MoleculeClientProxy,
  type MoleculeClientProxyOptions,
  type PeerRequest,
} from './microservice/client-proxy.ts';
export { MessageExceptionFilter } from './microservice/message-exception-filter.ts';
export { MoleculeRpcContext } from './microservice/rpc-context.ts';
export { MoleculeRpcException } from './microservice/rpc-exception.ts';
export { ANY_MESSAGE, MOLECULE_TRANSPORT, MoleculeStrategy } from './microservice/strategy.ts';
