// The HTTP interface: requests, errors in the reader's locale, and uploads with progress.
import { locale } from "./i18n.js";

const BASE = "/api/v1";

/** An error that the server worded; `code` is stable, `message` and `hint` are for the reader. */
export class ApiError extends Error {
  constructor(status, { code = "UNAVAILABLE", message = "", hint = "", param = null } = {}) {
    super(message);
    Object.assign(this, { status, code, hint, param });
  }
}

/** The address of `path` under the interface, with the filled-in values of `query`. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(given).toString();
  return `${BASE}${path}${search ? `?${search}` : ""}`;
}

/**
 * @param {string} method @param {string} path
 * @param {{query?: object, body?: any, headers?: object, signal?: AbortSignal}} options
 */
async function request(method, path, { query, body, headers = {}, signal } = {}) {
  const json = body !== undefined && !(body instanceof FormData);
  const response = await fetch(address(path, query), {
    method,
    signal,
    headers: { "Accept-Language": locale, ...(json ? { "Content-Type": "application/json" } : {}), ...headers },
    body: json ? JSON.stringify(body) : body,
  });
  const text = await response.text();
  if (!response.ok) throw errorFrom(response.status, text);
  return text ? JSON.parse(text) : null;
}

function errorFrom(status, text) {
  try {
    return new ApiError(status, JSON.parse(text).error);
  } catch {
    return new ApiError(status);
  }
}

/** @type {<P extends string>(path: P, query?: object, signal?: AbortSignal) => Promise<Answer<"get", P>>} */
export const get = (path, query, signal) => request("GET", path, { query, signal });
/** @type {<P extends string>(path: P, body?: any) => Promise<Answer<"post", P>>} */
export const post = (path, body) => request("POST", path, { body });
/** @type {<P extends string>(path: P, body?: any) => Promise<Answer<"put", P>>} */
export const put = (path, body) => request("PUT", path, { body });
export const patch = (path, body) => request("PATCH", path, { body });
export const remove = (path) => request("DELETE", path);

/**
 * Why the file at `path` is not given out; null where it is, or where nobody answers. Its first byte is asked for.
 * @param {string} path @returns {Promise<ApiError | null>}
 */
export async function refusal(path) {
  const headers = { "Accept-Language": locale, Range: "bytes=0-0" };
  const response = await fetch(address(path), { headers }).catch(() => null);
  return !response || response.ok ? null : errorFrom(response.status, await response.text());
}

/** 128 random bits in hex; `crypto.randomUUID` does not exist on a plain-HTTP address. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Send a form by XMLHttpRequest, which, unlike fetch, reports how much has gone out.
 * @param {string} path @param {object} fields
 * @param {{key?: string, onProgress?: (fraction: number) => void, signal?: AbortSignal}} options
 * `fields`: name → string, File, or plain object (sent as JSON). `key`: the Idempotency-Key, the same on every retry.
 */
export function upload(path, fields, { key, onProgress, signal } = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) form.append(name, value, value.name);
    else if (value !== null && value !== undefined)
      form.append(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", address(path));
    xhr.setRequestHeader("Accept-Language", locale);
    if (key) xhr.setRequestHeader("Idempotency-Key", key);
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    xhr.onload = () =>
      xhr.status < 400
        ? resolve(JSON.parse(xhr.responseText || "null"))
        : reject(errorFrom(xhr.status, xhr.responseText));
    xhr.onerror = () => reject(new ApiError(0));
    xhr.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal?.addEventListener("abort", () => xhr.abort());
    xhr.send(form);
  });
}
