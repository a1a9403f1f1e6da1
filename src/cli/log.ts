// log: looks after a log: what is stored of it, what it promises to the world, and what it shows to a monitor.

import { Command } from 'commander';
import { distrustCommand } from './distrust.ts';
import { fsckCommand } from './log-fsck.ts';
import { keyCommand } from './log-key.ts';
import { proveCommand } from './log-prove.ts';
import { rotateCommand } from './log-rotate.ts';
import { verifyCommand } from './log-verify.ts';
import { watchCommand } from './log-watch.ts';

export function logCommand(): Command {
  return new Command('log')
    .description('check, verify and watch a transparency log')
    .addCommand(fsckCommand())
    .addCommand(verifyCommand())
    .addCommand(proveCommand())
    .addCommand(watchCommand())
    .addCommand(keyCommand())
    .addCommand(rotateCommand())
    .addCommand(distrustCommand(['log']));
}
