import { startEdge } from '../fakes/edge.ts';
import { contract } from './contract.ts';

contract('workerd', startEdge);
