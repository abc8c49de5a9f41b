declare module 'aws4' {
  interface Request {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly service: string;
    readonly region: string;
  }
  interface Credentials {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }
  const aws4: {
    /** Adds the headers of a signature to a request. */
    sign(request: Request, credentials: Credentials): Request;
  };
  export default aws4;
}
