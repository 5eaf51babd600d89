// Let Redoc render the API's document. A deferred script has no `currentScript`.
const { nonce } = document.querySelector("script[nonce]");
const fonts = '"Segoe UI", system-ui, sans-serif';

Redoc.init(
  "/api/openapi.json",
  {
    nonce,
    nativeScrollbars: true,
    requiredPropsFirst: true,
    theme: {
      colors: { primary: { main: "#0f5c8c" } },
      typography: {
        fontFamily: fonts,
        headings: { fontFamily: fonts },
        code: { fontFamily: "ui-monospace, Consolas, monospace" },
      },
    },
  },
  document.getElementById("reference"),
);
