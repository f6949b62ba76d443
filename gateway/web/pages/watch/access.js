// Asks the gateway whether a video may be loaded, and why not: a media element's error event has no reason.

import { recording } from "./dom.js";

const TIMEOUT = 30_000; // milliseconds
// A script cannot follow a redirect to another site: there it requests the link as JSON, otherwise the first byte.
const HEADERS = recording.delivery === "redirect" ? { Accept: "application/json" } : { Range: "bytes=0-0" };

/**
 * Returns {verdict, status, code, requestId, retryAfter, linkLifetime} for the video at *path*.
 *
 * verdict: "allowed", "refused", "not_ready" (404) or "later" (no connection, or a temporary error). Times are seconds.
 */
export async function checkAccess(path) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(path, { headers: HEADERS, cache: "no-store", priority: "low", signal });
    const result = {
      status: response.status,
      requestId: response.headers.get("X-Request-ID"),
      retryAfter: Number(response.headers.get("Retry-After")) || null,
    };
    if (response.ok) {
      const linkLifetime = HEADERS.Accept ? lifetime(await response.json(), response) : Infinity;
      // A media server without ranges sends the whole file.
      if (!HEADERS.Accept && response.status === 200) await response.body?.cancel();
      return { ...result, verdict: "allowed", linkLifetime };
    }
    const { code } = await response.json().catch(() => ({}));
    return { ...result, verdict: verdictOf(response.status), code };
  } catch {
    return { verdict: "later", status: 0 };
  }
}

function verdictOf(status) {
  if (status === 404) return "not_ready";
  if (status === 429 || status === 408 || status >= 500) return "later";
  return status < 400 || status === 416 ? "allowed" : "refused";
}

/** Returns the remaining lifetime of a link by the gateway's own clock, or Infinity if it has no end. */
function lifetime({ expires_at: end }, response) {
  return end === null ? Infinity : (Date.parse(end) - Date.parse(response.headers.get("Date"))) / 1000;
}
