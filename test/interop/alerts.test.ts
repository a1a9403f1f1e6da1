// The alert rules of deploy/observability, read and tried out by Prometheus itself.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { describeWith } from '../fakes/skip.ts';

const RULES = new URL('../../deploy/observability/alerts.yaml', import.meta.url).pathname;
const TESTS = new URL('./alerts.yaml', import.meta.url).pathname;

interface RuleTests {
  readonly tests: readonly { promql_expr_test: { exp_samples: object[] }[] }[];
}

function promtool(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { status, text: stdout + stderr };
}

describeWith('promtool', 'alert rules', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mayfly-alerts-'));
    copyFileSync(RULES, join(folder, 'alerts.yaml'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are rules', () => {
    expect(promtool('check', 'rules', RULES)).toMatchObject({
      status: 0,
      text: expect.stringContaining('SUCCESS'),
    });
  });

  it('are silent while all is well, and each fires at its trouble', () => {
    const rules: { groups: { rules: { alert: string }[] }[] } = parse(readFileSync(RULES, 'utf8'));
    const names = rules.groups.flatMap(({ rules: list }) => list.map(({ alert }) => alert));
    const tests: RuleTests = parse(readFileSync(TESTS, 'utf8'));
    const last = tests.tests[1]?.promql_expr_test[0];
    if (last === undefined) throw new Error('no test of troubles');
    // Exactly these; the value is how many series fire, which is no matter.
    last.exp_samples = names.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 }));
    writeFileSync(join(folder, 'tests.yaml'), stringify(tests));
    expect(promtool('test', 'rules', join(folder, 'tests.yaml'))).toEqual({
      status: 0,
      text: expect.stringContaining('SUCCESS'),
    });
  });
});
