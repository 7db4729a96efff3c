import js from "@eslint/js";
import globals from "globals";

const WIDTH = { code: 120, ignoreUrls: true };

export default [
  js.configs.recommended,
  {
    files: ["webui/pages/static/*.js"],
    languageOptions: { globals: globals.browser },
    rules: { "max-len": ["error", WIDTH] },
  },
  {
    files: ["tests/js/*.js"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { "max-len": ["error", WIDTH] },
  },
  { ignores: ["tests/js/generated/"] },
];
