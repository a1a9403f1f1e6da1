import { startConfigured } from '../fakes/instance.ts';
import { contract } from './contract.ts';

contract('Node', startConfigured);
