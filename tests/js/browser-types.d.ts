// The shapes of the API under short names, and what the islands take for granted of the browser.
import type { components } from "./generated/api";

declare global {
  type Job = components["schemas"]["Job"];
  type Segment = components["schemas"]["Segment"];
  type Voice = components["schemas"]["Voice"];

  interface Window {
    shengfang: { ready: Promise<unknown>; begin(events: object): void };
  }
  // What a selector finds is known to who wrote it, not to the compiler.
  interface ParentNode {
    querySelector(selectors: string): any;
  }
  interface Element {
    querySelector(selectors: string): any;
  }
}
