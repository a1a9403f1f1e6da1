import { startConfigured } from '../fakes/instance.ts';
import { contract } from './contract.ts';

contract('Node', (configuration, { explainBearer, frozen } = {}) =>
  startConfigured(configuration, {
    over: {
      ...(explainBearer !== undefined && { explainBearers: [explainBearer] }),
      ...(frozen !== undefined && { frozen: new Set(frozen) }),
    },
  }),
);
