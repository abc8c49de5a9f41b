import type { TokenIdentity } from '../protocol/messages.ts';

/**
 * Remembers the tokens that refused a PIN. Tokens lock after a few wrong ones, so that each is asked once, however many
 * entries of a configuration name it and however often its connection is made again.
 */
export class RefusedPins {
  readonly #refused = new Set<string>();
  readonly #turns = new Map<string, Promise<void>>();

  /**
   * Logs in to a token, one caller at a time.
   *
   * @param isRefusal whether an error says that the PIN was wrong
   * @returns false, without a try, when the token has refused a PIN before
   */
  async attempt(
    token: TokenIdentity,
    login: () => Promise<void>,
    isRefusal: (error: unknown) => boolean,
  ): Promise<boolean> {
    const name = JSON.stringify([token.manufacturer, token.model, token.serial, token.label]);
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(async () => {
      if (this.#refused.has(name)) return false;
      try {
        await login();
      } catch (error) {
        if (isRefusal(error)) this.#refused.add(name);
        throw error;
      }
      return true;
    });
    // The next one waits for the end of this one, whatever it is.
    this.#turns.set(
      name,
      turn.then(
        () => undefined,
        () => undefined,
      ),
    );
    return await turn;
  }
}
