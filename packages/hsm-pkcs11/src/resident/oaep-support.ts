/** Whether a token can decrypt OAEP with SHA-256. Only an attempt tells: the list of mechanisms names no hash. */
export class OaepSupport {
  #tried: Promise<void> | null = null;

  /** Runs the try unless one has succeeded. */
  async ensure(attempt: () => Promise<void>): Promise<void> {
    this.#tried ??= attempt().catch((error: unknown) => {
      this.#tried = null;
      throw error;
    });
    await this.#tried;
  }
}
