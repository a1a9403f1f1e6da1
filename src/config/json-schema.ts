// JSON Schema: the configuration file described for editors (json-schema.org); written to config/schema.json.

import * as z from 'zod';
import type { Kinds } from '../identity/provider.ts';
import { typesIn } from './configured-issuer.ts';
import { fulcioType, listedType } from './issuer-schema.ts';
import { settingsSchema } from './schema.ts';

/** JSON text, with the types that there are. Draft 7, which every editor knows. */
export function jsonSchema(kinds: Kinds): string {
  const schema = z.toJSONSchema(settingsSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema: node }) => {
      if (zodSchema === listedType) node.enum = [...typesIn('list', kinds)];
      if (zodSchema === fulcioType) node.enum = [...typesIn('fulcio', kinds)];
    },
  });
  return `${JSON.stringify({ ...schema, title: 'Mayfly configuration' }, null, 2)}\n`;
}
