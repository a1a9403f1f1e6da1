// Effective settings: what an instance runs with, as a file that loads again: every default in it, and nothing secret.

import * as z from 'zod';
import { DEFAULT_RATES, LIMIT_NAMES } from '../admission/limit.ts';
import { formatDuration } from './duration.ts';
import { inJsonNames } from './fulcio-names.ts';
import type { Path } from './mistake.ts';
import { settingsSchema } from './schema.ts';

export type FileData = Readonly<Record<string, unknown>>;

const SET = '(set)';

/**
 * `file` is what a configuration says, in the names of YAML. What stands in place of a secret only says that there is one:
 * it can be loaded, and not used.
 */
export function effectiveSettings(file: FileData): FileData {
  const { define: _, ...read } = file; // anchors, which are followed already
  const whole = filled(settingsSchema, read);
  return mapped(withRates(isMap(whole) ? whole : read), withoutSecrets);
}

/** The same with the names that Fulcio's keys have in JSON. */
export function inJson(settings: FileData): FileData {
  return spelled(settings, []);
}

function spelled(map: FileData, path: Path): FileData {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => {
      const here = [...path, key];
      return [inJsonNames(here).at(-1), isMap(value) ? spelled(value, here) : value];
    }),
  );
}

/** `data` with what its schema takes for what it leaves out, as a file would say that. */
function filled(schema: z.core.$ZodType, data: unknown): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return filled(schema.unwrap(), data === undefined ? schema.def.defaultValue : data);
  if (data === undefined) return undefined;
  if (schema instanceof z.ZodOptional) return filled(schema.unwrap(), data);
  if (schema instanceof z.ZodUnion) {
    const option = schema.options.find((one) => z.safeParse(one, data).success);
    return option === undefined ? data : filled(option, data);
  }
  if (schema instanceof z.ZodArray && Array.isArray(data))
    return data.map((item) => filled(schema.element, item));
  if (!isMap(data)) return data;
  if (schema instanceof z.ZodRecord) return mapped(data, (value) => filled(schema.valueType, value));
  if (!(schema instanceof z.ZodObject)) return data;
  const { shape } = schema;
  const known = Object.entries<z.core.$ZodType>(shape)
    .map(([key, member]) => [key, filled(member, data[key])] as const)
    .filter(([, value]) => value !== undefined);
  const others = Object.entries(data).filter(([key]) => !Object.hasOwn(shape, key)); // of a loose one
  return Object.fromEntries([...known, ...others]);
}

/** The rates that hold where none is given are not the schema's. */
function withRates(settings: FileData): FileData {
  const { 'rate-limits': limits } = settings;
  if (!isMap(limits)) return settings;
  const given = isMap(limits['defaults']) ? limits['defaults'] : {};
  const defaults = LIMIT_NAMES.map((name) => {
    const { burst, count, periodMs } = DEFAULT_RATES[name];
    return [name, given[name] ?? { burst, count, period: formatDuration(periodMs) }];
  });
  return { ...settings, 'rate-limits': { ...limits, defaults: Object.fromEntries(defaults) } };
}

/** Keys whose value may be a secret itself, rather than the file that holds it. */
const SECRET_ITSELF: ReadonlySet<string> = new Set(['access-key-id', 'redis-options']);

/** Neither those, nor a private key in PEM, nor what stands before the @ of a URL. */
function withoutSecrets(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one: unknown) => withoutSecrets(one));
  const isSecret = SECRET_ITSELF.has(key);
  if (isMap(value))
    return mapped(value, (one, name) => (isSecret && name !== 'file' ? SET : withoutSecrets(one, name)));
  if (typeof value !== 'string') return value;
  if (isSecret || value.includes('PRIVATE KEY-----')) return SET;
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${SET}@`);
}

function isMap(value: unknown): value is FileData {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapped(map: FileData, change: (value: unknown, key: string) => unknown): FileData {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
}
