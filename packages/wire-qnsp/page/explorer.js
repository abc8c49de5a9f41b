// The token lives in its field alone: not in the state of the reference, not in the commands that it shows, not in any storage.
const token = document.querySelector('#token');
document.querySelector('#credential').addEventListener('submit', (event) => event.preventDefault());

const hidden = () => () => null;

globalThis.SwaggerUIBundle({
  url: '/openapi.json',
  domNode: document.querySelector('#reference'),
  deepLinking: true,
  docExpansion: 'none',
  filter: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
  // What is shown is the request without what the function below adds.
  showMutatedRequest: false,
  requestInterceptor: (request) => {
    const own = new URL(request.url, location.href).origin === location.origin;
    if (own && token.value !== '') request.headers.authorization = `Bearer ${token.value.trim()}`;
    return request;
  },
  plugins: [{ wrapComponents: { authorizeBtn: hidden, authorizeOperationBtn: hidden } }],
});
