/** What goes out to a request, before it takes the form that the server below wants. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
