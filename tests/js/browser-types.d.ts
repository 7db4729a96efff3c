// The shapes of the API under short names, and what the islands take for granted of the browser.
import type { components, paths } from "./generated/api";

declare global {
  type Job = components["schemas"]["Job"];
  type Segment = components["schemas"]["Segment"];
  type Voice = components["schemas"]["Voice"];
  type Model = components["schemas"]["Model"];
  type CatalogEntry = components["schemas"]["CatalogEntry"];
  type Device = components["schemas"]["Device"];
  type SystemState = components["schemas"]["System"];
  type Message = components["schemas"]["Message"];

  /** What the API answers to a `Method` of the address `Path`, where that is one of the addresses word for word. */
  type Answer<Method extends string, Path extends string> = `/api/v1${Path}` extends keyof paths
    ? paths[`/api/v1${Path}`] extends Record<Method, { responses: { 200: { content: { "application/json": infer A } } } }>
      ? A
      : any
    : any;

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
