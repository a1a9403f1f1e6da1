// Children: a metric's children by their labels, each looked up once, as prom-client hashes labels at every use.

/** `make` is asked once for each list of label values. Labels of our own are few, so nothing is ever let go. */
export function childrenOf<V extends readonly string[], C>(make: (...values: V) => C): (...values: V) => C {
  const children = new Map<string, C>();
  return (...values) => {
    const key = values.join('\n');
    let child = children.get(key);
    if (child === undefined) {
      child = make(...values);
      children.set(key, child);
    }
    return child;
  };
}
