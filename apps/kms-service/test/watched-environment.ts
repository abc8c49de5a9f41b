/** An environment that keeps the names that were asked for. */
export function watched(environment: Readonly<Record<string, string>>): {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly asked: Set<string>;
} {
  const asked = new Set<string>();
  const proxy = new Proxy(environment, {
    get: (target, name) => {
      asked.add(String(name));
      return target[String(name)];
    },
  });
  return { environment: proxy, asked };
}
