import js from "@eslint/js";
import globals from "globals";

const RULES = {
  "max-len": ["error", { code: 120, ignoreUrls: true }],
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
};

export default [
  js.configs.recommended,
  {
    files: ["webui/pages/static/*.js"],
    languageOptions: { globals: globals.browser },
    rules: RULES,
  },
  {
    files: ["tests/js/*.js"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: RULES,
  },
  { ignores: ["tests/js/generated/"] },
];
