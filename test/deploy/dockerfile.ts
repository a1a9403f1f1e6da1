// Dockerfile: its stages, and a build of them in folders of this machine instead of images.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ownEnvironment } from './container.ts';

export interface Instruction {
  readonly name: string;
  /** Lines that a backslash continued are one. */
  readonly value: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** Those of a file without heredocs. */
export function stagesOf(file: string): readonly Stage[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', value = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    const [from = '', , as] = value.split(/\s+/);
    if (name === 'FROM') stages.push({ name: as ?? '', from, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, value });
  }
  return stages;
}

/** The last of that name, or the words of its JSON form. */
export function textOf(stage: Stage, name: string): string {
  return stage.instructions.findLast((one) => one.name === name)?.value ?? '';
}

export const wordsOf = (value: string): readonly string[] => JSON.parse(value) as readonly string[];

/** The files of the build's context that a list of exceptions to `*` lets in. */
function allowed(ignoreFile: string): readonly string[] {
  const [everything, ...rest] = readFileSync(ignoreFile, 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line));
  if (everything !== '*' || !rest.every((line) => line.startsWith('!')))
    throw new Error(`${ignoreFile} is no list of what is let in`);
  return rest.map((line) => line.slice(1));
}

interface Build {
  readonly file: string;
  readonly context: string;
  /** Empty; becomes the folder that WORKDIR is in the building stages. */
  readonly work: string;
  /** Empty; becomes the root of the last stage, over its base image. */
  readonly root: string;
  /** Commands of RUN that this machine does without. */
  readonly skip: RegExp;
}

/** COPY and RUN of every stage. Throws what a command said when it fails. */
export function build({ file, context, work, root, skip }: Build): void {
  const visible = join(work, '..context');
  for (const path of allowed(`${file}.dockerignore`))
    cpSync(join(context, path), join(visible, path), { recursive: true });
  const workdir = '/build';
  const stages = stagesOf(file);
  for (const [index, { instructions }] of stages.entries()) {
    const into = index === stages.length - 1 ? root : work;
    for (const { name, value } of instructions) {
      if (name === 'RUN' && !skip.test(value))
        execFileSync('sh', ['-ec', value], { cwd: work, stdio: 'pipe', env: ownEnvironment() });
      if (name === 'WORKDIR' && into === work && value !== workdir) throw new Error(`WORKDIR ${value}`);
      if (name === 'COPY') copy(value, visible, work, workdir, into);
    }
  }
}

function copy(value: string, visible: string, work: string, workdir: string, into: string): void {
  const words = value.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = paths.at(-1) ?? '';
  const fromStage = flags.some((flag) => flag.startsWith('--from='));
  for (const source of paths.slice(0, -1)) {
    const from = fromStage ? join(work, source.slice(workdir.length)) : join(visible, source);
    if (!existsSync(from)) throw new Error(`COPY ${value}: there is no ${source}`);
    const folder = into === work ? resolve(work, target) : join(into, target);
    const isFolder = target.endsWith('/');
    const asFile = join(folder, source.split('/').at(-1) ?? '');
    const to = isFolder && !source.endsWith('/') ? asFile : folder;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    const mode = flags.find((flag) => flag.startsWith('--chmod='))?.slice('--chmod='.length);
    if (mode !== undefined) chmodSync(to, Number.parseInt(mode, 8));
  }
}
