import { startEdge } from '../fakes/edge.ts';
import { contract } from './contract.ts';

contract('workerd', (configuration, { explainBearer, frozen } = {}) =>
  startEdge(configuration, {
    ...(explainBearer !== undefined && { EXPLAIN_BEARERS: explainBearer }),
    ...(frozen !== undefined && { FROZEN_ISSUERS: frozen.join(' ') }),
  }),
);
