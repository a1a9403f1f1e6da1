// Email address: the form that a proven address must have, that of the pattern Fulcio applies (dot-atom@domain).

/** Beyond ASCII, what that pattern lets pass; surrogates are outside, so it is the Basic Multilingual Plane only. */
const BEYOND = '\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF';

const LOCAL = new RegExp(`^[A-Za-z0-9!#$%&'*+\\-/=?^_\`{|}~.${BEYOND}]+$`);
const MIDDLE = new RegExp(`^[A-Za-z0-9\\-._~${BEYOND}]+$`);
const EDGE = new RegExp(`[A-Za-z0-9${BEYOND}]`);
const TOP_EDGE = new RegExp(`[A-Za-z${BEYOND}]`);

/**
 * One pass over each part, so that no address makes it slow: the pattern itself backtracks without bound outside RE2.
 * Quoted local parts are refused; the pattern has a flaw there and takes hardly any.
 */
export function isEmailAddress(text: string): boolean {
  const at = text.indexOf('@');
  return at > 0 && isLocalPart(text.slice(0, at)) && isDomain(text.slice(at + 1));
}

function isLocalPart(local: string): boolean {
  return LOCAL.test(local) && !local.startsWith('.') && !local.endsWith('.') && !local.includes('..');
}

function isDomain(domain: string): boolean {
  const name = domain.endsWith('.') ? domain.slice(0, -1) : domain;
  const dot = name.lastIndexOf('.');
  if (dot <= 0 || !MIDDLE.test(name)) return false;
  return hasEdges(name.slice(0, dot), EDGE) && hasEdges(name.slice(dot + 1), TOP_EDGE);
}

function hasEdges(part: string, edge: RegExp): boolean {
  return edge.test(part.charAt(0)) && edge.test(part.charAt(part.length - 1));
}
