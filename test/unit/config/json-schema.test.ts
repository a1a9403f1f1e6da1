import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../../src/config/json-schema.ts';
import { settingsSchema } from '../../../src/config/schema.ts';
import { configFile, kinds } from './read.ts';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

describe('config/schema.json', () => {
  const schema = JSON.parse(configFile('schema.json')) as Schema;

  it('is what src/node/settings/write-schema.ts writes', () => {
    expect(configFile('schema.json')).toBe(jsonSchema(kinds));
  });

  it('has every key of the file, each described, none required', () => {
    const properties = schema.properties ?? {};
    expect(Object.keys(properties)).toEqual(Object.keys(settingsSchema.shape));
    expect(Object.entries(properties).filter(([, { description }]) => description === undefined)).toEqual([]);
    expect(schema.required).toBeUndefined();
    expect(schema.additionalProperties).toBe(false);
  });

  it('lists the types that each form takes', () => {
    const listed = schema.properties?.['issuers']?.items?.properties?.['type']?.enum;
    const entry = schema.properties?.['oidc-issuers']?.additionalProperties;
    const fulcio = typeof entry === 'object' ? entry.properties?.['type']?.enum : undefined;
    expect(listed).toEqual([...kinds.keys()]);
    expect(fulcio).toContain('ci-provider');
    expect(fulcio).not.toContain('github');
  });
});
